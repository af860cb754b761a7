"""Opening a SQLite file that several processes use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from failsoft.storage.outages import OutageError

__all__ = ["connect", "folder_problem", "identity", "transaction"]

# Pages kept by each connection. Writes go to the end of the file, and are seldom read.
_CACHE_KIB: Final = 4_096
_WAL_BYTES: Final = 64 * 1024 * 1024


def connect(
    path: Path, *, check: bool, prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    """A connection to the file, made where there is none; ``check`` reads it all for damage.

    ``prepare`` makes its tables where there are none, or upgrades them.

    Raises :class:`sqlite3.Error`, :class:`OSError`, :class:`OutageError` or
    :class:`~failsoft.storage.schema.NewerSchemaError`. Never waits for a lock.
    """
    _make(path)
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
    try:
        prepare(connection)
        _set_up(connection, check=check)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, *, check: bool) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise OutageError("its file system has no shared memory: use a local disk")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if check:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            error = sqlite3.DatabaseError(found)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool) -> Iterator[None]:
    """All or nothing. One that writes takes the lock at its start."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at that place now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def folder_problem(folder: Path) -> str:
    """Why no file can be made in ``folder``; empty where one can. Leaves nothing there."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        return f"{there} is no folder: name another, or move it away"
    try:
        with TemporaryFile(dir=there):  # permissions alone do not show a file system's refusal
            return ""
    except OSError:
        return f"{there} cannot be written to by this user: name another, or allow it"


def _make(path: Path) -> None:
    """Make the file, for this user alone: answers are in it.

    A file that is there is never opened here: closing it would take away the locks that SQLite
    holds on it for other connections of this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
