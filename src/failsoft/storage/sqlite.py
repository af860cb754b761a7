"""Opens SQLite files that several processes use, makes their tables, sets damaged ones aside."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import Final, TypeVar

from failsoft.storage.outages import NewerSchemaError, OutageError, is_busy

__all__ = [
    "OpenFile",
    "connect",
    "folder_problem",
    "identity",
    "make_tables",
    "remove_damaged",
    "set_aside",
    "transaction",
]

T = TypeVar("T")

# Between two tries to get the lock: other processes hold it for about a millisecond.
_TRY_SECONDS: Final = 0.0005

# Pages kept by each connection. Writes go to the end of the file, and are seldom read.
_CACHE_KIB: Final = 4_096
_WAL_BYTES: Final = 64 * 1024 * 1024


class OpenFile:
    """A file that is open, by a connection as of :func:`connect`; its folder is made if missing.

    ``which`` is its :func:`identity`. Every method waits at most ``lock_wait`` seconds for a lock.
    Errors of the file are raised as they come; then it is to be closed.
    """

    def __init__(
        self,
        path: Path,
        *,
        check: bool = False,
        prepare: Callable[[sqlite3.Connection], None],
        lock_wait: float,
    ) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        def opened() -> tuple[sqlite3.Connection, tuple[int, int] | None]:
            with _alone(path.parent):
                return connect(path, check=check, prepare=prepare), identity(path)

        self._path = path
        self._lock_wait = lock_wait
        self._connection, self.which = _wait_for_lock(opened, lock_wait)

    def is_there(self) -> bool:
        """Whether the file is still at its path."""
        return identity(self._path) == self.which

    def do(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do it in one transaction, all or nothing; again if a lock was in the way.

        Raises :class:`OutageError` if the file is no longer at its path: what was written cannot
        be read there.
        """

        def once() -> T:
            with transaction(self._connection, writes=writes):
                return work()

        done = _wait_for_lock(once, self._lock_wait)
        if writes and not self.is_there():
            raise OutageError("removed or replaced while in use")
        return done

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _wait_for_lock(work: Callable[[], T], seconds: float) -> T:
    """Do it, again and again for so many seconds while another connection holds a lock."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except (sqlite3.OperationalError, BlockingIOError) as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(_TRY_SECONDS)


def connect(
    path: Path, *, check: bool, prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    """A connection to the file, made where there is none; ``check`` reads it all for damage.

    ``prepare`` makes its tables where there are none, or upgrades them.

    Raises :class:`sqlite3.Error`, :class:`OSError`, :class:`OutageError` or
    :class:`NewerSchemaError`. Never waits for a lock.
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


def make_tables(
    connection: sqlite3.Connection,
    *,
    tables: Sequence[str],
    version: int,
    steps: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Make the tables, or upgrade those of an earlier version. Raises :class:`NewerSchemaError`."""
    if _version(connection, version) == version:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection, version)  # another process may have been first
        stages = [tables] if not found else [steps[stage] for stage in range(found, version)]
        for statement in (statement for stage in stages for statement in stage):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _version(connection: sqlite3.Connection, known: int) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise NewerSchemaError(version, known)
    return version


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


def set_aside(path: Path, which: tuple[int, int] | None) -> Path | None:
    """Rename a damaged file and return its new path; ``None`` if another process was first.

    ``which`` is its :func:`identity`. Only the latest is kept. Raises :class:`OSError`. No
    connection of this process to the file may be open.
    """
    with _alone(path.parent):
        if which is None or identity(path) != which:
            return None
        remove_damaged(path)
        place = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"
        for end in ("-wal", "-shm", ""):  # the file itself last: until then it is tried again
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).replace(path.with_name(place + end))
    return path.with_name(place)


def remove_damaged(path: Path, *, before: float | None = None) -> None:
    """Delete what was set aside (before an epoch second): users' texts are in it."""
    for old in path.parent.glob(f"{path.name}.damaged-*"):
        with suppress(OSError):
            if before is None or old.stat().st_ctime < before:
                old.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from opening a file whose parts are being renamed, where there are such locks.

    Raises :class:`BlockingIOError` while another process does so.
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
