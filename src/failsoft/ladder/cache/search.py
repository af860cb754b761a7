"""The same question, else one that asks the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from failsoft.ladder.cache.rows import CacheEntry, CacheRows, DamageError
from failsoft.ladder.embedder import Embedder
from failsoft.ladder.partition import Partition, digest

if TYPE_CHECKING:
    from failsoft.ladder.cache.vectors import Vectors

__all__ = ["Query", "Search", "same"]

# Looked at more closely, best first. Each costs 0.1 to 0.4 milliseconds the first time.
_CANDIDATES: Final = 5

# All matrices of a process together: with 256 dimensions 200 MB.
_ROWS_IN_MEMORY: Final = 200_000


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question, and among which answers it is looked for."""

    partition: Partition
    question: str
    locale: str
    threshold: float | None = None

    @cached_property
    def key(self) -> bytes:
        """What the partition is saved under."""
        return self.partition.key_in(self.locale)


class Search:
    """Looks among what was answered from ``earliest`` to ``latest``, epoch seconds."""

    def __init__(self, rows: CacheRows, *, at_most: int) -> None:
        self._rows = rows
        self._at_most = at_most
        self._matrices: OrderedDict[tuple[int, str], Vectors] = OrderedDict()

    def same(self, query: Query, earliest: float, latest: float) -> CacheEntry | None:
        """The answer to that very question."""
        number = self._rows.partition(query.key)
        if number is None:
            return None
        entry = self._rows.same(query.key, number, same(query.question))
        return entry if entry and earliest <= entry.answered_at <= latest else None

    def has_any(self, query: Query) -> bool:
        """Whether there is anything to look among: where not, no embedder is waited for."""
        return self._rows.partition(query.key) is not None

    def alike(
        self, query: Query, embedder: Embedder, earliest: float, latest: float
    ) -> tuple[CacheEntry, float] | None:
        """The best answer to a question that no guard rejects, and its similarity."""
        from failsoft.ladder.paraphrase.same_question import difference  # noqa: PLC0415 - slow, and not always used

        for entry, similarity in self._candidates(query, embedder, earliest, latest):
            if difference(query.question, entry.question, locale=query.locale) is None:
                return entry, similarity
        return None

    def _candidates(
        self, query: Query, embedder: Embedder, earliest: float, latest: float
    ) -> Iterator[tuple[CacheEntry, float]]:
        number = self._rows.partition(query.key)
        if number is None:
            return
        threshold = embedder.threshold if query.threshold is None else query.threshold
        matrix = self._matrix(number, embedder, earliest)
        left = _CANDIDATES
        gone: list[int] = []
        try:
            for found, similarity in matrix.nearest(embedder.embed(query.question), threshold):
                entry = self._rows.one(query.key, number, found)
                if entry is None or not earliest <= entry.answered_at <= latest:
                    gone.append(found)
                    continue
                yield entry, similarity
                left -= 1
                if not left:
                    break
        finally:
            if gone:
                matrix.discard(gone)

    def _matrix(self, number: int, embedder: Embedder, earliest: float) -> Vectors:
        """The matrix of a partition with all that was saved meanwhile, here or elsewhere."""
        from failsoft.ladder.cache.vectors import Vectors  # noqa: PLC0415 - numpy is an extra

        name = (number, embedder.name)
        if name not in self._matrices:
            self._drop_emptied()
            size = self._rows.size(number)
            self._matrices[name] = Vectors(embedder.dimensions, rows=size)
        matrix = self._matrices[name]
        self._matrices.move_to_end(name)
        ours = embedder.name.encode()
        for lot in self._rows.vectors(number, matrix.last):
            found = [(entry, at, vector) for entry, at, made_by, vector in lot if made_by == ours]
            try:
                matrix.add(found, since=earliest, at_most=self._at_most)
            except (TypeError, ValueError) as error:
                raise DamageError("a vector cannot be read") from error
            matrix.last = lot[-1][0]
        while len(self._matrices) > 1 and self._size() > _ROWS_IN_MEMORY:
            self._matrices.popitem(last=False)
        return matrix

    def _drop_emptied(self) -> None:
        """Forget partitions that were deleted: their numbers are never used again."""
        for emptied in [name for name in self._matrices if not self._rows.size(name[0])]:
            del self._matrices[emptied]

    def _size(self) -> int:
        return sum(map(len, self._matrices.values()))


def same(question: str) -> bytes:
    """The digest of a question as it is compared."""
    from failsoft.ladder.paraphrase.same_question import normalized  # noqa: PLC0415 - slow, and not always used

    return digest(normalized(question))
