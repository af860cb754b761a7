"""What may be written to a terminal, how figures look there, and errors on standard error."""

from __future__ import annotations

import errno
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

__all__ = [
    "FAILED",
    "WRONG_USE",
    "CommandError",
    "duration",
    "ends_when_told",
    "errors",
    "listening_on",
    "model_of",
    "output",
    "printable",
    "tell",
]

# Escape sequences in a model's answer could move the cursor, change colours or retitle windows.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# Without a terminal, lines are for other programs: a table's row is not broken in two.
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


FAILED = 1
WRONG_USE = 2

_WHY = {
    errno.EADDRNOTAVAIL: "is not an address of this machine: use 127.0.0.1, or one that it has",
    errno.EACCES: "may not be used by this account: use a port above 1023",
}


class CommandError(Exception):
    """The problem and what to do about it, in one line; ends the command with exit code 2."""


def tell(message: str) -> None:
    """Print a message, each of its lines marked as ours.

    A full disk or a closed pipe in place of standard error stops no command, a service least.
    """
    with suppress(OSError):
        for line in message.splitlines():
            sys.stderr.write(f"failsoft: {printable(line)}\n")


@contextmanager
def ends_when_told() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the command well while no server listens to them yet."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: sys.exit(0)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def listening_on(host: str, port: int) -> Iterator[None]:
    """Turn what keeps a server from listening there into a :class:`CommandError`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = "stop what listens there, or choose another with --port (0: a free one)"
            raise CommandError(f"port {port} is in use: {remedy}") from error
        why = _WHY.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}")
        raise CommandError(f"{host}:{port} {why}") from error
