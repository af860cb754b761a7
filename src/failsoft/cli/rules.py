"""``failsoft rules``: whether prepared answers can be given, and some to begin with."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import output, printable
from failsoft.cli.trouble import FAILED, CommandError
from failsoft.degrade.written.check import check

__all__ = ["check_rules", "write_starter"]


def check_rules(
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder of rules; rules_dir of the settings where none is named."),
    ] = None,
    config: ConfigFile = None,
) -> int:
    """Say which rules cannot be used, and which are worth a look."""
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
    return resources.files("failsoft.degrade") / "starter"


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
