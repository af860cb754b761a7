"""What is saved, and what is told of it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from failsoft.degrade.digest import digest

__all__ = ["DamageError", "Entry", "Listed", "New"]


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
class Entry:
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
