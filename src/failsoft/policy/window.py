"""Counts over a sliding window of buckets keyed by epoch."""

from __future__ import annotations

__all__ = ["Window"]

# Older than any epoch of any clock.
_NEVER = -(1 << 62)


class Window:
    """Two counts (all, marked) over the last ``seconds``, in ``buckets`` steps.

    A bucket belongs to an epoch, ``int(now / width)``, and is emptied when its place is taken by a
    later one: after an idle hour nothing stale is left, however few calls came since.
    """

    __slots__ = ("_all", "_epochs", "_from", "_marked", "_place", "_size", "_until", "_width")

    def __init__(self, seconds: float, buckets: int) -> None:
        self._width = seconds / buckets
        self._size = buckets
        self._epochs = [_NEVER] * buckets
        self._all = [0] * buckets
        self._marked = [0] * buckets
        # Nearly every count is of the bucket of the one before it.
        self._place, self._from, self._until = 0, 0.0, 0.0

    def add(self, now: float, *, marked: bool = False, count: int = 1) -> None:
        """Count one, or ``count``, at ``now`` (seconds), marked or not."""
        if not self._from <= now < self._until:
            self._find(now)
        self._all[self._place] += count
        if marked:
            self._marked[self._place] += count

    def take_back(self, now: float) -> None:
        """Undo an ``add`` that was not marked, of the same bucket; one that is older stands."""
        epoch = int(now / self._width)
        place = epoch % self._size
        if self._epochs[place] == epoch and self._all[place]:
            self._all[place] -= 1

    def totals(self, now: float) -> tuple[int, int]:
        """``(all, marked)`` over the window that ends at ``now``."""
        oldest = int(now / self._width) - self._size
        every = marked = 0
        for place, epoch in enumerate(self._epochs):
            if epoch > oldest:
                every += self._all[place]
                marked += self._marked[place]
        return every, marked

    def span(self, now: float) -> float:
        """Seconds that :meth:`totals` covers at ``now``: the latest bucket is not full yet."""
        return now - (int(now / self._width) - self._size + 1) * self._width

    def clear(self) -> None:
        """Forget everything."""
        self._epochs = [_NEVER] * self._size
        self._from = self._until = 0.0

    def _find(self, now: float) -> None:
        epoch = int(now / self._width)
        place = self._place = epoch % self._size
        self._from, self._until = epoch * self._width, (epoch + 1) * self._width
        if self._epochs[place] != epoch:
            self._epochs[place] = epoch
            self._all[place] = self._marked[place] = 0
