"""``failsoft notices``: whether the words are fit to be read, and a sheet to read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from failsoft.cli.options import load
from failsoft.cli.terminal import output
from failsoft.cli.trouble import FAILED, CommandError, tell
from failsoft.notices import Catalogue
from failsoft.notices.checks import check
from failsoft.notices.negotiate import nearest
from failsoft.notices.review import review

__all__ = ["check_notices", "review_notices"]

_Folder = Annotated[
    Path | None,
    typer.Option("--dir", metavar="FOLDER", help="Your own notices, laid over those that ship."),
]
_Locale = Annotated[str | None, typer.Option(metavar="LANGUAGE", help="Only this language.")]


def check_notices(locale: _Locale = None, folder: _Folder = None) -> int:
    """Refuse jargon, length, a hard text, a question not answered, a key missing."""
    catalogue = _catalogue(folder)
    languages = [_known(catalogue, locale)] if locale else list(catalogue.locales)
    found = [problem for problem in check(catalogue) if problem.locale in languages]
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
