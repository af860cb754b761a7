"""``failsoft notices``, ``rules``, ``config``, ``token``: check files and settings, sign tokens."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from failsoft.cli.chain_table import chain_table
from failsoft.cli.options import ConfigFile, load, tell_what_is_wanting, tell_what_will_fail
from failsoft.cli.terminal import FAILED, CommandError, output, printable, tell
from failsoft.config.show import SettingRow, rows
from failsoft.engine.client import Failsoft
from failsoft.errors import extra
from failsoft.faults import make_token
from failsoft.notices import Catalogue
from failsoft.notices.catalogue import nearest
from failsoft.notices.checks import check as check_words
from failsoft.notices.review import review

__all__ = [
    "check_notices",
    "check_rules",
    "check_settings",
    "review_notices",
    "show_settings",
    "token",
    "write_starter",
]

_Folder = Annotated[
    Path | None,
    typer.Option("--dir", metavar="FOLDER", help="Your own notices, laid over those that ship."),
]
_Locale = Annotated[str | None, typer.Option(metavar="LANGUAGE", help="Only this language.")]


def check_notices(locale: _Locale = None, folder: _Folder = None) -> int:
    """Refuse jargon, length, a hard text, a question not answered, a key missing."""
    catalogue = _catalogue(folder)
    languages = [_known(catalogue, locale)] if locale else list(catalogue.locales)
    found = [problem for problem in check_words(catalogue) if problem.locale in languages]
    for problem in found:
        if problem.skipped:
            tell(str(problem))
        else:
            output().print(str(problem), soft_wrap=True)
    wrong = sum(not problem.skipped for problem in found)
    if not wrong:
        count = f"{len(catalogue.keys)} notices in {', '.join(languages)}"
        output().print(f"{count}: nothing wrong.")
    return FAILED if wrong else 0


def review_notices(locale: _Locale = None, folder: _Folder = None) -> None:
    """Print every notice as a sheet to read aloud to a colleague, and to mark."""
    catalogue = _catalogue(folder)
    typer.echo(review(catalogue, _known(catalogue, locale or "en")))


def _catalogue(folder: Path | None) -> Catalogue:
    own = None if folder is None else str(folder)
    return Catalogue.load(load(None, notices_dir=own).settings.notices_dir)


def _known(catalogue: Catalogue, locale: str) -> str:
    tag = nearest(locale, catalogue.locales)
    if tag is None:
        there = ", ".join(catalogue.locales)
        raise CommandError(f"there are no notices in {locale!r}; there are: {there}")
    return tag


def check_rules(
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder of rules; rules_dir of the settings where none is named."),
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Say which rules cannot be used, and which are worth a look."""
    with extra("rules", "rules check"):
        from failsoft.ladder.rules.files import check  # noqa: PLC0415 - an extra
    place = folder or _configured(config)
    try:
        count, problems = check(place)
    except OSError as error:
        remedy = "name a folder of Markdown files, or make one: failsoft rules starter FOLDER"
        raise CommandError(f"{place}: cannot be read ({error.strerror}): {remedy}") from error
    if not count:
        remedy = "put Markdown files there, or failsoft rules starter FOLDER"
        raise CommandError(f"{place}: has no rules in it: {remedy}")
    for problem in problems:
        output().print(printable(str(problem)), soft_wrap=True)
    if not all(problem.warning for problem in problems):
        return FAILED
    found = f"{len(problems)} warnings" if problems else "nothing wrong"
    output().print(f"{count} rules in {place}: {found}.", soft_wrap=True)
    return 0


def write_starter(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")],
) -> int:
    """Write rules to begin with; a file that is there stays as it is."""
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(_starter().iterdir(), key=str):
            written += _write(folder / source.name, source.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{folder}: cannot be written to ({error.strerror}): name another folder"
        ) from error
    output().print(
        f"{written} files written to {folder}. Make every answer true for you, then", soft_wrap=True
    )
    output().print(f'put rules_dir = "{folder}" into failsoft.toml.', soft_wrap=True)
    return 0


def _starter() -> Traversable:
    return resources.files("failsoft.ladder.rules") / "starter"


def _write(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _configured(config: Path | None) -> Path:
    place = load(config).settings.rules_dir
    if place is None:
        raise CommandError("no folder is named: failsoft rules check FOLDER, or set rules_dir")
    return Path(place)


def check_settings(config: ConfigFile = None) -> int:
    """Say whether the settings hold; every problem is a line of its own.

    Exits with 1 where the settings hold and requests will fail all the same.
    """
    loaded = load(config)
    Failsoft(loaded.settings)  # opens nothing; what only shows when it is put together shows here
    given = {origin for origin in loaded.origins.values() if origin != "default"}
    count = sum(origin != "default" for origin in loaded.origins.values())
    source = f", {count} of them from {', '.join(sorted(given))}" if given else ", all defaults"
    failing = tell_what_will_fail(loaded.settings)
    doubtful = tell_what_is_wanting(loaded.settings) or bool(loaded.warnings)
    output().print(chain_table(loaded.settings, loaded.origins))
    found = "hold, but see above" if failing or doubtful else "are fine"
    output().print(f"The settings {found}{source}.")
    return FAILED if failing else 0


_LEARNED = (
    "Each running process learns a shorter timers.first_content_seconds for each target: "
    "GET /api/health/ai, or Failsoft.health(), says what, from how many calls, and why not."
)


def show_settings(config: ConfigFile = None) -> None:
    """Print every setting, its value and where that is from. Secrets are not shown."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("setting", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for row in rows(load(config)):
        table.add_row(*_cells(row))
    output().print(table)
    tell(_LEARNED)


def _cells(row: SettingRow) -> tuple[Text, ...]:
    style = "dim" if row.origin == "default" else "bold"
    return tuple(Text(cell, style) for cell in (row.name, row.value, row.origin))


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 30


def token(
    *,
    valid: Annotated[
        str, typer.Option(metavar="TIME", help="From now on: 90s, 15m, 1h, at most 30d.")
    ] = "1h",
    tenant: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Whose requests, where the service has API keys (default: unnamed).",
        ),
    ] = "",
    config: ConfigFile = None,
) -> None:
    """Print a token for X-Simulate-Token; its holder may have requests fail on purpose."""
    key = load(config).settings.simulate_token_key
    if key is None:
        raise CommandError(
            "no key to sign with: set FAILSOFT_SIMULATE_TOKEN_KEY to the one that the service has"
        )
    expires_at = time.time() + _seconds(valid)
    tell(f"valid until {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC")
    output().print(
        make_token(key, expires_at=expires_at, tenant=tenant), soft_wrap=True, highlight=False
    )


def _seconds(valid: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", valid.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_DAYS * _UNITS["d"]:
        raise CommandError(f"--valid must be like 90s, 15m, 1h or 7d, at most {_LONGEST_DAYS}d")
    return seconds
