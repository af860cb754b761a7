"""Every trouble a person can meet on the command line, as lines on standard error."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from failsoft.cli.terminal import printable

__all__ = ["FAILED", "WRONG_USE", "CommandError", "ends_when_told", "listening_on", "tell"]

FAILED = 1
WRONG_USE = 2

_WHY = {
    errno.EADDRNOTAVAIL: "is not an address of this machine: use 127.0.0.1, or one that it has",
    errno.EACCES: "may not be used by this account: use a port above 1023",
}


class CommandError(Exception):
    """What is wrong and what to do about it, in one line; ends the command with exit code 2."""


def tell(message: str) -> None:
    """Print a trouble, each of its lines marked as ours."""
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
