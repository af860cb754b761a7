"""The scenarios that come with the package, and how one is found by name or file."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Final

from failsoft.chaos.drills.reading import parse_scenario, read_scenario
from failsoft.chaos.drills.scenario import Scenario
from failsoft.errors import SettingError

__all__ = ["NAMES", "find_scenario", "shipped_scenarios"]

NAMES: Final = (
    "brownout",
    "total_outage",
    "hang",
    "stream_cuts",
    "key_revoked",
    "process_killed",
    "network_cut",
    "content_policy",
)


def find_scenario(name: str) -> Scenario:
    """The shipped scenario of that name, else the one in that file. Raises SettingError."""
    if name in NAMES:
        return _shipped(name)
    path = Path(name)
    if not path.exists():
        known = ", ".join(NAMES)
        raise SettingError(name, f"there is no such file and no such drill: give a file or {known}")
    return read_scenario(path)


def shipped_scenarios() -> tuple[Scenario, ...]:
    """All that come with the package."""
    return tuple(_shipped(name) for name in NAMES)


def _shipped(name: str) -> Scenario:
    text = files(__package__).joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
    return parse_scenario(tomllib.loads(text), where=f"{name}.toml")
