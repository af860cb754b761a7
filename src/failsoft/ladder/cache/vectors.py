"""The vectors of one partition as one matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vectors"]

_FIRST_ROWS = 64
_ARRAYS = ("_matrix", "_ids", "_answered")

# Most who ask want no more of them: to sort all takes longer than to compare the vectors.
_FEW = 16


class Vectors:
    """Has room for ``rows`` at first; what is discarded or expired makes room before it grows.

    ``last`` is the id of the latest row it was shown.
    """

    def __init__(self, dimensions: int, *, rows: int = 0) -> None:
        self.last = 0
        self._count = 0
        rows = _FIRST_ROWS + rows
        self._matrix = np.zeros((rows, dimensions), np.float32)
        self._ids = np.zeros(rows, np.int64)
        self._answered = np.zeros(rows, np.float64)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, rows: Sequence[tuple[int, float, bytes]], *, since: float, at_most: int) -> None:
        """Add ids, times and vectors; of all rows only those answered ``since`` need be kept.

        Raises :class:`ValueError` where a vector has not the right length.
        """
        if not rows:
            return
        ids, answered, vectors = zip(*rows, strict=True)
        added = np.frombuffer(b"".join(vectors), np.float32).reshape(len(rows), -1)
        self._make_room(len(rows), since=since, at_most=at_most)
        place = slice(self._count, self._count + len(rows))
        self._matrix[place] = added
        self._ids[place] = ids
        self._answered[place] = answered
        self._count = place.stop

    def nearest(self, vector: NDArray[np.float32], threshold: float) -> Iterator[tuple[int, float]]:
        """Ids and similarities of at least ``threshold``, best first."""
        with np.errstate(all="ignore"):  # what was written over may be no number
            similarities = np.vecdot(self._matrix[: self._count], vector)  # in one thread
            found = np.flatnonzero(similarities >= threshold)
        for places in _in_turn(found, similarities):
            for place in places[np.argsort(-similarities[places], kind="stable")]:
                yield int(self._ids[place]), float(similarities[place])

    def discard(self, ids: Iterable[int]) -> None:
        """Find these no more."""
        gone = np.isin(self._ids[: self._count], list(ids))
        self._matrix[: self._count][gone] = 0
        self._answered[: self._count][gone] = -np.inf

    def _make_room(self, rows: int, *, since: float, at_most: int) -> None:
        if self._count + rows <= len(self._ids):
            return
        kept = np.flatnonzero(self._answered[: self._count] >= since)[-at_most:]
        capacity = len(self._ids)
        while capacity * 7 < (len(kept) + rows) * 8:  # room for some more before the next time
            capacity *= 2
        self._count = len(kept)
        for name in _ARRAYS:
            old = getattr(self, name)
            if capacity == len(old):
                old[: len(kept)] = old[kept]
            else:
                new = np.zeros((capacity, *old.shape[1:]), old.dtype)
                np.take(old, kept, axis=0, out=new[: len(kept)], mode="clip")  # without a copy
                setattr(self, name, new)


def _in_turn(
    found: NDArray[np.intp], similarities: NDArray[np.float32]
) -> Iterator[NDArray[np.intp]]:
    """Those places, a few best before all others."""
    if len(found) <= _FEW:
        yield found
        return
    parted = np.argpartition(-similarities[found], _FEW)
    yield np.sort(found[parted[:_FEW]])
    yield np.sort(found[parted[_FEW:]])
