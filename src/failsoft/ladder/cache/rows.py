"""The statements of the cache in SQLite, one method a question, and the entries they return."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from failsoft.ladder.partition import digest

__all__ = ["CacheEntry", "CacheRows", "DamageError", "Listed", "New"]


class DamageError(sqlite3.DatabaseError):
    """What was read is not what was written."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An answer to be saved; ``same`` is the digest of the question as it is compared.

    ``vector`` is what ``embedder`` made of the question, both empty where it did not.
    """

    key: bytes
    scope: str
    route: str
    same: bytes
    tenant: str
    user: str
    question: str
    response: str
    answered_at: float
    embedder: str = ""
    vector: bytes = b""

    @property
    def seal(self) -> bytes:
        """What shows later that nothing of it has changed."""
        return digest(
            *(self.key, self.same, self.tenant, self.user, self.question, self.response),
            *(struct.pack(">d", self.answered_at), self.embedder, self.vector),
        )


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A saved answer as it was written."""

    id: int
    question: str
    response: str
    answered_at: float

    @classmethod
    def read(cls, row: Sequence[Any], key: bytes) -> Self:
        """One row of the file, in the partition where it was looked for.

        Raises :class:`DamageError`: SQLite sees what is wrong in its own pages, not a text that
        was written over.
        """
        try:
            number, same, tenant, user, question, response, at, embedder, vector, seal = row
            new = New(
                key=key,
                scope="",
                route="",
                same=same,
                tenant=tenant.decode(),
                user=user.decode(),
                question=question.decode(),
                response=response.decode(),
                answered_at=at,
                embedder=(embedder or b"").decode(),
                vector=vector or b"",
            )
            sound = new.seal == seal
        except (AttributeError, TypeError, ValueError, struct.error) as error:
            raise DamageError("an entry cannot be read") from error
        if not sound:
            raise DamageError("an entry is not as it was written")
        return cls(number, new.question, new.response, new.answered_at)


@dataclass(frozen=True, slots=True)
class Listed:
    """What an operator is shown of a saved answer."""

    question: str
    age_seconds: float
    scope: str
    route: str
    tenant: str
    user: str


_ENTRY: Final = """
    SELECT entries.id, same, tenant, user, question, response, entries.answered_at,
        embedder, vector, seal
    FROM entries LEFT JOIN vectors ON vectors.id = entries.id
    WHERE entries.partition =
"""
_SAME: Final = f"{_ENTRY} ? AND same = ?"
_ONE: Final = f"{_ENTRY} ? AND entries.id = ?"
_PARTITION: Final = "SELECT number, entries FROM partitions WHERE key = ?"
_NEW_PARTITION: Final = "INSERT INTO partitions (key, scope, route) VALUES (?, ?, ?)"
_REPLACED: Final = """
    DELETE FROM entries
    WHERE partition = (SELECT number FROM partitions WHERE key = ?) AND same = ?
"""
_NEW: Final = """
    INSERT INTO entries (partition, same, tenant, user, question, response, answered_at, seal)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEW_VECTOR: Final = """
    INSERT INTO vectors (partition, id, answered_at, embedder, vector) VALUES (?, ?, ?, ?, ?)
"""
_VECTORS: Final = """
    SELECT id, answered_at, embedder, vector FROM vectors
    WHERE partition = ? AND id > ? ORDER BY id
"""
_OVER: Final = """
    DELETE FROM entries WHERE id IN
        (SELECT id FROM entries WHERE partition = ? ORDER BY id LIMIT ?)
"""
# Entries lie in the order they came, and all live equally long: those that are over come first.
_EXPIRED: Final = """
    DELETE FROM entries WHERE id IN (
        SELECT id FROM (SELECT id, answered_at FROM entries ORDER BY id LIMIT ?)
        WHERE NOT answered_at BETWEEN ? AND ?)
"""
_OLDEST: Final = "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY id LIMIT ?)"
_DELETE: Final = "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE {whose} LIMIT ?)"
_LIST: Final = """
    SELECT question, answered_at, scope, route, tenant, user
    FROM entries JOIN partitions ON number = partition
    WHERE {whose} AND answered_at BETWEEN ? AND ? ORDER BY id DESC LIMIT ?
"""

_CHUNK: Final = 1000

Vector = tuple[int, float, bytes, bytes]


class CacheRows:
    """The rows of an open file. What writes runs within a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.text_factory = bytes  # what was written over may be no text any more
        self._do = connection.execute

    def partition(self, key: bytes) -> int | None:
        """The number of a partition, ``None`` where nothing is saved in it."""
        row = self._do(_PARTITION, (key,)).fetchone()
        return None if row is None else row[0]

    def size(self, number: int) -> int:
        """How many vectors a partition has."""
        query = "SELECT count(*) FROM vectors WHERE partition = ?"
        size: int = self._do(query, (number,)).fetchone()[0]
        return size

    def same(self, key: bytes, number: int, same: bytes) -> CacheEntry | None:
        """The answer to that very question."""
        row = self._do(_SAME, (number, same)).fetchone()
        return None if row is None else CacheEntry.read(row, key)

    def one(self, key: bytes, number: int, entry: int) -> CacheEntry | None:
        """One answer of a partition."""
        row = self._do(_ONE, (number, entry)).fetchone()
        return None if row is None else CacheEntry.read(row, key)

    def vectors(self, number: int, after: int) -> Iterator[Sequence[Vector]]:
        """The vectors of a partition whose ids are above ``after``, in lots."""
        found = self._do(_VECTORS, (number, after))
        while lot := found.fetchmany(_CHUNK):
            yield lot

    def save(self, new: New, *, at_most: int) -> None:
        """Save an answer, in place of an earlier one to that very question."""
        self._do(_REPLACED, (new.key, new.same))
        number, count = self._place(new)
        who, text = (new.tenant, new.user), (new.question, new.response)
        values = (number, new.same, *who, *text, new.answered_at, new.seal)
        entry = self._do(_NEW, values).lastrowid
        if new.vector:
            vector = (number, entry, new.answered_at, new.embedder, new.vector)
            self._do(_NEW_VECTOR, vector)
        if count >= at_most:
            self._do(_OVER, (number, count + 1 - at_most))

    def expire(self, earliest: float, latest: float, *, among: int) -> bool:
        """Delete what was answered before or after, among the first so many; whether any was."""
        return self._do(_EXPIRED, (among, earliest, latest)).rowcount > 0

    def drop_oldest(self, count: int) -> bool:
        """Delete the oldest; whether there was any."""
        return self._do(_OLDEST, (count,)).rowcount > 0

    def delete(self, tenant: str | None, user: str | None, *, at_most: int) -> int:
        """Delete what they asked; how many it were."""
        whose, names = _whose(tenant, user)
        return self._do(_DELETE.format(whose=whose), (*names, at_most)).rowcount

    def listed(
        self,
        tenant: str | None,
        user: str | None,
        *,
        now: float,
        since: float,
        until: float,
        at_most: int,
    ) -> list[Listed]:
        """What they asked, the latest first."""
        whose, names = _whose(tenant, user)
        values = (*names, since, until, at_most)
        rows = self._do(_LIST.format(whose=whose), values).fetchall()
        try:
            return [
                Listed(question.decode(), max(0.0, now - at), *(text.decode() for text in texts))
                for question, at, *texts in rows
            ]
        except (AttributeError, TypeError, ValueError) as error:
            raise DamageError("an entry cannot be read") from error

    def count(self) -> tuple[int, int]:
        """How many answers there are, in how many partitions."""
        entries, partitions = self._do("SELECT total(entries), count(*) FROM partitions").fetchone()
        return int(entries), partitions

    def bytes(self) -> int:
        """How much of the file is used."""
        pages, free, size = (
            self._do(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        used: int = (pages - free) * size
        return used

    def blank(self, size: int) -> None:
        """Write so many bytes and delete them."""
        self._do(_NEW_VECTOR, (0, 0, 0.0, "", b"\0" * size))
        self._do("DELETE FROM vectors WHERE partition = 0")

    def _place(self, new: New) -> tuple[int, int]:
        """The number of the partition, made where there is none, and how many it has."""
        row: Any = self._do(_PARTITION, (new.key,)).fetchone()
        if row is None:
            self._do(_NEW_PARTITION, (new.key, new.scope, new.route))
            row = self._do(_PARTITION, (new.key,)).fetchone()
        number, count = row
        return number, count


def _whose(tenant: str | None, user: str | None) -> tuple[str, list[str]]:
    """A condition, and the values in it."""
    asked = {"tenant": tenant, "user": user}
    names = {column: name for column, name in asked.items() if name is not None}
    return " AND ".join(f"{column} = ?" for column in names) or "TRUE", list(names.values())
