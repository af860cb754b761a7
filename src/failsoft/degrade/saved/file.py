"""The file of saved answers: how it is opened, and put out of the way when it is damaged."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from failsoft.degrade.saved.schema import prepare
from failsoft.requests.database import connect, identity
from failsoft.requests.outage import LOCK_SECONDS, is_busy, is_damage
from failsoft.requests.schema import NewerSchemaError

__all__ = ["forget", "is_damaged", "open_file", "remove_damaged", "set_aside"]

_log = logging.getLogger(__name__)

# What our own statements meet only in a file that is not ours any more.
_UNSOUND: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}

_TRY_SECONDS: Final = 0.005


def open_file(path: Path) -> tuple[sqlite3.Connection, tuple[int, int] | None]:
    """A connection to the file, and which file it is. Waits ``LOCK_SECONDS`` for a lock at most."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with _alone(path.parent):
                return connect(path, check=False, prepare=prepare), identity(path)
        except (sqlite3.OperationalError, BlockingIOError) as error:
            locked = isinstance(error, BlockingIOError) or is_busy(error)
            if not locked or time.monotonic() > deadline:
                raise
        time.sleep(_TRY_SECONDS)


def is_damaged(error: Exception) -> bool:
    """Whether the content of the file is wrong, so that a new one is better."""
    if is_damage(error) or isinstance(error, NewerSchemaError):
        return True
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in _UNSOUND or code == sqlite3.SQLITE_IOERR_SHORT_READ)


def set_aside(path: Path, which: tuple[int, int] | None) -> None:
    """Rename a damaged file, unless another process was first. Only the latest is kept.

    Raises :class:`OSError`. To be called with no connection of this process open.
    """
    with _alone(path.parent):
        if identity(path) != which:
            return
        remove_damaged(path)
        place = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
        for end in ("-wal", "-shm", ""):  # the file itself last: until then it is tried again
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).replace(path.with_name(place + end))
    _log.warning("cache_set_aside", extra={"fields": {"file": str(path), "now": place}})


def remove_damaged(path: Path, *, before: float | None = None) -> None:
    """Delete what was set aside (before an epoch second): there are saved answers in it."""
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        with suppress(OSError):
            if before is None or old.stat().st_ctime < before:
                old.unlink()


def forget(path: Path) -> None:
    """Delete the file with all that belongs to it. Raises :class:`OSError` where it cannot."""
    remove_damaged(path)
    for end in ("-journal", "-wal", "-shm", ""):
        path.with_name(path.name + end).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from opening a file whose parts are being renamed, where there are such locks.

    Raises :class:`BlockingIOError` where another process is at it.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock  # noqa: PLC0415 - not on every system
    except ImportError:
        yield
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(fd)
