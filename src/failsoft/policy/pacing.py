"""How much may be in flight, how much is asked for, and when what is too much may begin.

Retries are paced so that failures do not multiply the traffic of a route.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Literal

from failsoft.config.settings import RetrySettings
from failsoft.policy.window import Window

__all__ = ["Bulkhead", "Demand", "Place", "RetryBudget", "Turns"]


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


class Demand:
    """The requests of one route a second, those that were turned away too. Safe under threads."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._window = Window(seconds, seconds)
        self._began: float | None = None
        self._lock = Lock()

    def count(self, now: float) -> None:
        """Count one request that began at ``now`` (monotonic seconds)."""
        with self._lock:
            if self._began is None:
                self._began = now
            self._window.add(now)

    def total(self, now: float) -> int:
        """Requests of the last seconds."""
        with self._lock:
            return self._window.totals(now)[0]

    def rate(self, now: float) -> float:
        """Requests a second over the last seconds, or over the age where that is less."""
        with self._lock:
            age = self._seconds if self._began is None else now - self._began
            seconds = min(max(age, _LEAST_AGE_SECONDS), self._window.span(now))
            return self._window.totals(now)[0] / seconds


class Turns:
    """Gives out moments at which something may begin, at a rate that may change. Not locked.

    A leaky bucket by the virtual scheduling of the generic cell rate algorithm (ITU-T I.371), which
    holds ``saved_seconds`` of its rate. A turn that is given back is not taken off the clock, which
    would grant another's twice: it is kept for the next to ask.
    """

    def __init__(self, saved_seconds: float = 0.0) -> None:
        self._saved_seconds = saved_seconds
        self._full_at = float("-inf")  # when the bucket would be full again
        self._returned: list[float] = []

    def next_at(self, now: float) -> float:
        """The turn that :meth:`take` would give."""
        if self._returned and self._returned[0] >= now - self._saved_seconds:
            return max(now, self._returned[0])
        return max(now, self._full_at - self._saved_seconds)

    def take(self, ready_at: float, now: float, rate: float) -> float:
        """The next turn from ``ready_at`` on, at ``rate`` a second."""
        turn = max(ready_at, now, self._full_at - self._saved_seconds)
        self._forget_old(now)
        if self._returned and self._returned[0] <= turn:
            return max(ready_at, now, heappop(self._returned))
        self._full_at = max(self._full_at, now) + 1.0 / rate
        return turn

    def give_back(self, turn: float) -> None:
        """Return a turn that is not used; one other gets it."""
        heappush(self._returned, turn)

    def _forget_old(self, now: float) -> None:
        """What lies longer ago than the bucket holds has flowed back into it."""
        if self._returned and self._returned[0] < now - self._saved_seconds:
            self._returned = [turn for turn in self._returned if turn >= now - self._saved_seconds]
            heapify(self._returned)


class RetryBudget:
    """Gives out turns: moments at which a retry may begin.

    Its bucket (:class:`Turns`) is filled at the larger of ``budget_floor_per_second`` and
    ``budget_ratio`` of the ``demand`` over the last ``budget_window_seconds``, and holds as many
    seconds of that. A hop to another target is no retry and needs no turn. At most ``most_waiting``
    turns are out at a time, so that retries that wait leave room for others. Safe under threads;
    seconds are monotonic.
    """

    def __init__(self, settings: RetrySettings, demand: Demand, *, most_waiting: int) -> None:
        self.demand = demand
        self._ratio = settings.budget_ratio
        self._floor = settings.budget_floor_per_second
        self._most_waiting = most_waiting
        self._retries = Window(settings.budget_window_seconds, settings.budget_window_seconds)
        self._turns = Turns(float(settings.budget_window_seconds))
        self._waiting = 0
        self._lock = Lock()

    @property
    def crowded(self) -> bool:
        """Whether as many retries wait as may."""
        return self._waiting >= self._most_waiting

    def take(self, ready_at: float, now: float) -> float | None:
        """The next turn from ``ready_at`` on; ``None`` where there will never be one.

        It is to be used (:meth:`start`) or given back.
        """
        rate = max(self._floor, self._ratio * self.demand.rate(now))
        if not rate:
            return None
        with self._lock:
            self._waiting += 1
            return self._turns.take(ready_at, now, rate)

    def give_back(self, turn: float) -> None:
        """Return a turn that is not used; one other retry gets it."""
        with self._lock:
            self._waiting -= 1
            self._turns.give_back(turn)

    def start(self, now: float) -> None:
        """A retry begins, at its turn."""
        with self._lock:
            self._waiting -= 1
            self._retries.add(now)

    def undo(self, now: float) -> None:
        """The retry that began now was refused; its turn waits for another start."""
        with self._lock:
            self._waiting += 1
            self._retries.take_back(now)

    def ratio(self, now: float) -> float:
        """Retries as a share of requests over the window."""
        with self._lock:
            retries, _ = self._retries.totals(now)
        requests = self.demand.total(now)
        return retries / requests if requests else 0.0
