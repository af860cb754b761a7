"""The open file of saved answers and its tables. Everything here runs in the cache's thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failsoft.ladder.cache.rows import CacheRows, Listed, New
from failsoft.ladder.cache.search import Search, same
from failsoft.ladder.embedder import Embedder
from failsoft.ladder.partition import Partition
from failsoft.storage.outages import NewerSchemaError, is_damage
from failsoft.storage.sqlite import OpenFile, make_tables, remove_damaged, transaction
from failsoft.storage.times import StoreTimes

__all__ = [
    "Answered",
    "CacheFile",
    "CacheOptions",
    "forget",
    "is_damaged",
    "prepare",
]


# Other tables would get a file of another name: processes of two versions may run side by side.
_VERSION: Final = 1

# Ids and numbers are never used twice: what another process has deleted is not taken for what came
# after. Vectors are apart from the texts: a matrix is read without those.
_TABLES: Final = (
    """
    CREATE TABLE partitions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key BLOB NOT NULL UNIQUE,
        scope TEXT NOT NULL,
        route TEXT NOT NULL,
        entries INTEGER NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        partition INTEGER NOT NULL,
        same BLOB NOT NULL,
        tenant TEXT NOT NULL,
        user TEXT NOT NULL,
        question TEXT NOT NULL,
        response TEXT NOT NULL,
        answered_at REAL NOT NULL,
        seal BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX entries_same ON entries (partition, same)",
    "CREATE INDEX entries_in_order ON entries (partition)",
    "CREATE INDEX entries_of ON entries (tenant, user)",
    """
    CREATE TABLE vectors (
        id INTEGER PRIMARY KEY,
        partition INTEGER NOT NULL,
        answered_at REAL NOT NULL,
        embedder TEXT NOT NULL,
        vector BLOB NOT NULL
    )
    """,
    "CREATE INDEX vectors_in_order ON vectors (partition)",
    """
    CREATE TRIGGER entries_are_counted AFTER INSERT ON entries
    BEGIN UPDATE partitions SET entries = entries + 1 WHERE number = new.partition; END
    """,
    """
    CREATE TRIGGER entries_take_along AFTER DELETE ON entries
    BEGIN
        DELETE FROM vectors WHERE id = old.id;
        UPDATE partitions SET entries = entries - 1 WHERE number = old.partition;
        DELETE FROM partitions WHERE number = old.partition AND entries <= 0;
    END
    """,
)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none. Deleted rows are overwritten."""
    connection.execute("PRAGMA secure_delete = ON")
    make_tables(connection, tables=_TABLES, version=_VERSION)


# What the statements above raise only in a file that another program has changed.
_UNSOUND: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}


def is_damaged(error: Exception) -> bool:
    """Whether the content of the file is wrong, so that a new one is better."""
    if is_damage(error) or isinstance(error, NewerSchemaError):
        return True
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in _UNSOUND or code == sqlite3.SQLITE_IOERR_SHORT_READ)


def forget(path: Path) -> None:
    """Delete the file with all that belongs to it. Raises :class:`OSError` where it cannot."""
    remove_damaged(path)
    for end in ("-journal", "-wal", "-shm", ""):
        path.with_name(path.name + end).unlink(missing_ok=True)


# Deleted in one transaction: some milliseconds.
_FEW: Final = 200

_TRY_SECONDS: Final = 0.01
_ROOM_BYTES: Final = 256 * 1024

# A clock that is set back by more makes what was answered before look as if it came from the
# future, and then it is not served: else it would live longer than it may.
_SKEW_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """Where answers are saved, for how many seconds, how many of them, and by which clock."""

    path: Path
    ttl: float
    max_entries: int
    max_bytes: int
    clock: Callable[[], float]
    times: StoreTimes

    def span(self) -> tuple[float, float]:
        """The earliest and the latest time of an answer that may be served now."""
        now = self.clock()
        return now - self.ttl, now + _SKEW_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question with its answer, as it is to be saved, and who asked."""

    partition: Partition
    question: str
    response: str
    locale: str
    tenant: str
    user: str
    answered_at: float


class CacheFile(OpenFile):
    """The open file of the cache."""

    def __init__(self, options: CacheOptions) -> None:
        super().__init__(options.path, prepare=prepare, lock_wait=options.times.lock_wait)
        self._options = options
        self.rows = CacheRows(self._connection)
        self.search = Search(self.rows, at_most=options.max_entries)

    def save(self, answered: Sequence[Answered], embedder: Embedder | None) -> None:
        """Save answers, all or none."""
        news = [_new(one, embedder if one.partition.shared else None) for one in answered]
        with transaction(self._connection, writes=True):
            for new in news:
                self.rows.save(new, at_most=self._options.max_entries)

    def delete(self, tenant: str | None, user: str | None) -> int:
        """Delete what they asked, with every trace of it; how many it were."""
        count = 0
        while True:
            with transaction(self._connection, writes=True):
                gone = self.rows.delete(tenant, user, at_most=_FEW)
            count += gone
            if not gone:
                break
        remove_damaged(self._options.path)
        self._empty_journal()
        return count

    def listed(self, tenant: str | None, user: str | None, *, at_most: int) -> list[Listed]:
        """What they asked and can still be served, the latest first."""
        earliest, latest = self._options.span()
        now = self._options.clock()
        return self.rows.listed(
            tenant, user, now=now, since=earliest, until=latest, at_most=at_most
        )

    def tidy(self) -> bool:
        """Delete some of what is too old or too much; whether there may be more of it."""
        earliest, latest = self._options.span()
        remove_damaged(self._options.path, before=earliest)
        with transaction(self._connection, writes=True):
            more = self.rows.expire(earliest, latest, among=_FEW)
            if self.rows.bytes() > self._options.max_bytes:
                more = self.rows.drop_oldest(_FEW) or more
        return more

    def try_room(self) -> None:
        """Write and delete as much as some answers are, to see whether there is room for it."""
        with transaction(self._connection, writes=True):
            self.rows.blank(_ROOM_BYTES)

    def _empty_journal(self) -> None:
        """Deleted rows are still in the journal until the last reader of the time before ends."""
        deadline = time.monotonic() + self._options.times.lock_wait
        checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
        while self._connection.execute(checkpoint).fetchone()[0] and time.monotonic() < deadline:
            time.sleep(_TRY_SECONDS)


def _new(one: Answered, embedder: Embedder | None) -> New:
    return New(
        key=one.partition.key_in(one.locale),
        scope=one.partition.scope,
        route=one.partition.route,
        same=same(one.question),
        tenant=one.tenant,
        user=one.user,
        question=one.question,
        response=one.response,
        answered_at=one.answered_at,
        embedder=embedder.name if embedder else "",
        vector=_vector(embedder, one.question) if embedder else b"",
    )


def _vector(embedder: Embedder, question: str) -> bytes:
    return embedder.embed(question).astype("float32", copy=False).tobytes()
