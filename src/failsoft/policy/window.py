"""Counts over a sliding window of buckets keyed by epoch, and the retries that are paced by them.

Retries are paced so that failures do not multiply the traffic of a route.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from threading import Lock

from failsoft.config.settings import RetrySettings

__all__ = ["RetryBudget", "Window"]

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

    def add(self, now: float, *, marked: bool = False) -> None:
        """Count one at ``now`` (seconds), marked or not."""
        if not self._from <= now < self._until:
            self._find(now)
        self._all[self._place] += 1
        if marked:
            self._marked[self._place] += 1

    def take_back(self, now: float, *, marked: bool = False) -> None:
        """Undo an ``add`` of the same bucket; one that is older stands."""
        epoch = int(now / self._width)
        place = epoch % self._size
        if self._epochs[place] == epoch and self._all[place]:
            self._all[place] -= 1
            if marked and self._marked[place]:
                self._marked[place] -= 1

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


# A burst that opens a service is not the rate of the hours after it.
_LEAST_AGE_SECONDS = 1.0


class RetryBudget:
    """Gives out turns: moments at which a retry may begin.

    A leaky bucket by the virtual scheduling of the generic cell rate algorithm (ITU-T I.371). It is
    filled at the larger of ``budget_floor_per_second`` and ``budget_ratio`` of the requests a
    second over the last ``budget_window_seconds``, and holds as many seconds of that. A hop to
    another target is no retry and needs no turn. At most ``most_waiting`` turns are out at a time,
    so that retries that wait leave room for others. Safe under threads; seconds are monotonic.
    """

    def __init__(self, settings: RetrySettings, *, most_waiting: int) -> None:
        self._ratio = settings.budget_ratio
        self._floor = settings.budget_floor_per_second
        self._benches = float(settings.budget_window_seconds)
        self._most_waiting = most_waiting
        # Marked counts are retries, the rest requests.
        self._window = Window(settings.budget_window_seconds, settings.budget_window_seconds)
        self._began: float | None = None
        self._full_at = float("-inf")  # when the bucket would be full again
        self._waiting = 0
        self._returned: list[float] = []
        self._lock = Lock()

    def request(self, now: float) -> None:
        """Count one request that began at ``now``."""
        with self._lock:
            if self._began is None:
                self._began = now
            self._window.add(now)

    @property
    def crowded(self) -> bool:
        """Whether as many retries wait as may."""
        return self._waiting >= self._most_waiting

    def take(self, ready_at: float, now: float) -> float | None:
        """The next turn from ``ready_at`` on; ``None`` where there will never be one.

        It is to be used (:meth:`start`) or given back.
        """
        with self._lock:
            rate = self._rate(now)
            if not rate:
                return None
            self._waiting += 1
            turn = max(ready_at, now, self._full_at - self._benches)
            self._forget_old(now)
            if self._returned and self._returned[0] <= turn:
                return max(ready_at, now, heappop(self._returned))
            self._full_at = max(self._full_at, now) + 1.0 / rate
            return turn

    def give_back(self, turn: float) -> None:
        """Return a turn that is not used; one other retry gets it."""
        with self._lock:
            self._waiting -= 1
            heappush(self._returned, turn)

    def start(self, now: float) -> None:
        """A retry begins, at its turn."""
        with self._lock:
            self._waiting -= 1
            self._window.add(now, marked=True)

    def undo(self, now: float) -> None:
        """The retry that began now was refused; its turn waits for another start."""
        with self._lock:
            self._waiting += 1
            self._window.take_back(now, marked=True)

    def ratio(self, now: float) -> float:
        """Retries as a share of requests over the window."""
        with self._lock:
            every, retries = self._window.totals(now)
        return retries / (every - retries) if every > retries else 0.0

    def _rate(self, now: float) -> float:
        """Retries a second."""
        every, retries = self._window.totals(now)
        age = self._benches if self._began is None else now - self._began
        seconds = min(max(age, _LEAST_AGE_SECONDS), self._window.span(now))
        return max(self._floor, self._ratio * (every - retries) / seconds)

    def _forget_old(self, now: float) -> None:
        """What lies longer ago than the bucket holds has flowed back into it."""
        if self._returned and self._returned[0] < now - self._benches:
            self._returned = [turn for turn in self._returned if turn >= now - self._benches]
            heapify(self._returned)
