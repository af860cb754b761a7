"""How much may be in flight, who waits for a place, and when a retry may begin.

Retries are paced so that failures do not multiply the traffic of a route.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Literal

from failsoft.config.settings import RetrySettings
from failsoft.policy.window import Window

__all__ = ["Bulkhead", "Place", "RetryBudget"]


class Place:
    """A place in a bulkhead: held, waited for, or given up."""

    # Nearly every place is held from the first, which is then the class's word.
    state: Literal["held", "waiting", "left"] = "held"


class Bulkhead:
    """At most ``limit`` places held, at most ``queue`` waiting, served in the order they came.

    It knows no tasks: ``leave`` returns the waiting place that may go in next, and the caller
    wakes its holder. Safe under threads.
    """

    def __init__(self, limit: int, queue: int = 0) -> None:
        self._limit = limit
        self._queue_limit = queue
        self._held = 0
        self._queue: deque[Place] = deque()
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Places held."""
        return self._held

    @property
    def waiting(self) -> int:
        """Places waited for."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the next to enter would have to wait or be turned away."""
        return self._held >= self._limit

    def forked(self) -> None:
        """Begin empty in a forked process: what holds or waits is the parent's."""
        self._lock = Lock()
        self._held = 0
        self._queue = deque()

    def enter(self) -> Place | None:
        """A place, held or waiting; ``None`` where the queue is full too."""
        with self._lock:
            if self._held < self._limit:
                self._held += 1
                return Place()
            if len(self._queue) >= self._queue_limit:
                return None
            place = Place()
            place.state = "waiting"
            self._queue.append(place)
            return place

    def leave(self, place: Place) -> Place | None:
        """Give a place back, held or waiting, once or more; the next to go in, if any."""
        with self._lock:
            before, place.state = place.state, "left"
            if before == "held":
                if self._queue:
                    heir = self._queue.popleft()
                    heir.state = "held"
                    return heir
                self._held -= 1
            elif before == "waiting":
                self._queue.remove(place)
            return None


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
        self._saved_seconds = float(settings.budget_window_seconds)
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
            turn = max(ready_at, now, self._full_at - self._saved_seconds)
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
        age = self._saved_seconds if self._began is None else now - self._began
        seconds = min(max(age, _LEAST_AGE_SECONDS), self._window.span(now))
        return max(self._floor, self._ratio * (every - retries) / seconds)

    def _forget_old(self, now: float) -> None:
        """What lies longer ago than the bucket holds has flowed back into it."""
        if self._returned and self._returned[0] < now - self._saved_seconds:
            self._returned = [turn for turn in self._returned if turn >= now - self._saved_seconds]
            heapify(self._returned)
