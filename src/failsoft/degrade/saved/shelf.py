"""The open file of saved answers, as one process holds it. For the cache's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failsoft.degrade.embedder import Embedder
from failsoft.degrade.partition import Partition
from failsoft.degrade.saved.entries import Listed, New
from failsoft.degrade.saved.file import open_file, remove_damaged
from failsoft.degrade.saved.rows import Rows
from failsoft.degrade.saved.search import Search, same
from failsoft.requests.database import identity, transaction
from failsoft.requests.outage import LOCK_SECONDS

__all__ = ["Answered", "Keeping", "Shelf"]

# Deleted in one transaction: some milliseconds.
_FEW: Final = 200

_TRY_SECONDS: Final = 0.01
_ROOM_BYTES: Final = 256 * 1024

# A clock that is set back by more makes what was answered before look as if it came from the
# future, and then it is not served: else it would live longer than it may.
_SKEW_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where answers are kept, how long (seconds), how many, and by which clock."""

    path: Path
    ttl: float
    max_entries: int
    max_bytes: int
    clock: Callable[[], float]

    def span(self) -> tuple[float, float]:
        """From when to when answers may be to be served now."""
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


class Shelf:
    """Whatever is wrong with the file is raised as it comes; then the shelf is to be closed."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self._connection, self.which = open_file(keeping.path)
        self.rows = Rows(self._connection)
        self.search = Search(self.rows, at_most=keeping.max_entries)

    def is_there(self) -> bool:
        """Whether the file is still the one that was opened."""
        return identity(self.keeping.path) == self.which

    def save(self, answered: Sequence[Answered], embedder: Embedder | None) -> None:
        """Save answers, all or none."""
        news = [_new(one, embedder if one.partition.shared else None) for one in answered]
        with transaction(self._connection, writes=True):
            for new in news:
                self.rows.save(new, at_most=self.keeping.max_entries)

    def delete(self, tenant: str | None, user: str | None) -> int:
        """Delete what they asked, with every trace of it; how many it were."""
        count = 0
        while True:
            with transaction(self._connection, writes=True):
                gone = self.rows.delete(tenant, user, at_most=_FEW)
            count += gone
            if not gone:
                break
        remove_damaged(self.keeping.path)
        self._empty_journal()
        return count

    def listed(self, tenant: str | None, user: str | None, *, at_most: int) -> list[Listed]:
        """What they asked and can still be served, the latest first."""
        earliest, latest = self.keeping.span()
        now = self.keeping.clock()
        return self.rows.listed(
            tenant, user, now=now, since=earliest, until=latest, at_most=at_most
        )

    def tidy(self) -> bool:
        """Delete some of what is too old or too much; whether there may be more of it."""
        earliest, latest = self.keeping.span()
        remove_damaged(self.keeping.path, before=earliest)
        with transaction(self._connection, writes=True):
            more = self.rows.expire(earliest, latest, among=_FEW)
            if self.rows.bytes() > self.keeping.max_bytes:
                more = self.rows.drop_oldest(_FEW) or more
        return more

    def try_room(self) -> None:
        """Write and delete as much as some answers are, to see whether there is room for it."""
        with transaction(self._connection, writes=True):
            self.rows.blank(_ROOM_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _empty_journal(self) -> None:
        """What was deleted is still in the journal, until nobody reads what was before."""
        deadline = time.monotonic() + LOCK_SECONDS
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
