"""Paces the retries of a route, so that failures do not multiply its traffic."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from threading import Lock

from failsoft.config.settings import RetrySettings
from failsoft.policy.window import Window

__all__ = ["RetryBudget"]

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
        self._holds = float(settings.budget_window_seconds)
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
            turn = max(ready_at, now, self._full_at - self._holds)
            self._forget_old(now)
            if self._returned and self._returned[0] <= turn:
                return max(ready_at, now, heappop(self._returned))
            self._full_at = max(self._full_at, now) + 1.0 / rate
            return turn

    def give_back(self, turn: float) -> None:
        """Return a turn that is not used: it is given out again, to one other."""
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
        age = self._holds if self._began is None else now - self._began
        seconds = min(max(age, _LEAST_AGE_SECONDS), self._window.span(now))
        return max(self._floor, self._ratio * (every - retries) / seconds)

    def _forget_old(self, now: float) -> None:
        """What lies longer ago than the bucket holds has flowed back into it."""
        if self._returned and self._returned[0] < now - self._holds:
            self._returned = [turn for turn in self._returned if turn >= now - self._holds]
            heapify(self._returned)
