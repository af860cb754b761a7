"""How much may be in flight, and who waits for a place."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Literal

__all__ = ["Bulkhead", "Place"]


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
