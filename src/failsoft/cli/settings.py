"""``failsoft config``: whether the settings hold, and where each of them is from."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import output
from failsoft.config.show import Row, rows
from failsoft.engine.client import Failsoft

__all__ = ["check_settings", "show_settings"]


def check_settings(config: ConfigFile = None) -> None:
    """Say whether the settings hold; every problem is a line of its own."""
    loaded = load(config)
    Failsoft(loaded.settings)  # opens nothing; what only shows when it is put together shows here
    given = {origin for origin in loaded.origins.values() if origin != "default"}
    count = sum(origin != "default" for origin in loaded.origins.values())
    source = f", {count} of them from {', '.join(sorted(given))}" if given else ", all defaults"
    output().print(f"The settings are fine{source}.")


def show_settings(config: ConfigFile = None) -> None:
    """Print every setting, its value and where that is from. Secrets are not shown."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("setting", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for row in rows(load(config)):
        table.add_row(*_cells(row))
    output().print(table)


def _cells(row: Row) -> tuple[Text, ...]:
    style = "dim" if row.origin == "default" else "bold"
    return tuple(Text(cell, style) for cell in (row.name, row.value, row.origin))
