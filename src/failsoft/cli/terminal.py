"""What may be written to a terminal, and how figures are written there."""

from __future__ import annotations

import re
import sys

from rich.console import Console

__all__ = ["duration", "errors", "model_of", "output", "printable"]

# Escape sequences in a model's answer could move the cursor, change colours or retitle windows.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# Where nobody looks, lines are for other programs: a table's row is not broken in two.
_UNSEEN_WIDTH = 200

_TWO_MINUTES = 120.0


def output() -> Console:
    """Standard output."""
    return _console(stderr=False)


def errors() -> Console:
    """Standard error, for all that is not the answer itself."""
    return _console(stderr=True)


def printable(text: str) -> str:
    """Take out what could command a terminal; line ends and tabs stay."""
    return _CONTROL.sub("", text)


def duration(seconds: float) -> str:
    """Write seconds as a person reads them: 12 ms, 4.1 s, 30 s, 5 min."""
    if seconds < 0.9995:  # noqa: PLR2004 - would be written as 1000 ms
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:  # noqa: PLR2004 - would be written as 10.0 s
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < _TWO_MINUTES else f"{seconds / 60:.0f} min"


def model_of(target: str) -> str:
    """The part of a target's name that people know it by."""
    return target.rpartition("/")[2]


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNSEEN_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
