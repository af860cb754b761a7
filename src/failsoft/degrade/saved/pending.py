"""Answers that wait to be saved."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from failsoft.degrade.saved.shelf import Answered

__all__ = ["Pending"]

# Held in memory while the file cannot take them.
_MAX_COUNT: Final = 2000
_MAX_CHARACTERS: Final = 16 * 1024 * 1024


class Pending:
    """Counts them from when they are handed over; the rest is the worker's thread's alone.

    Those that need a vector wait until it is known whether there is an embedder.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._count = self._characters = 0
        self._handed: list[Answered] = []
        self._ready: deque[Answered] = deque()
        self._waiting: deque[Answered] = deque()

    def hand_over(self, answered: Answered) -> bool:
        """From any thread, where there is room for it. Whether it is the first since a ``take``."""
        size = _size(answered)
        with self._lock:
            if self._count >= _MAX_COUNT or self._characters + size > _MAX_CHARACTERS:
                self.dropped += 1
                return False
            self._count += 1
            self._characters += size
            self._handed.append(answered)
            return len(self._handed) == 1

    def take(self) -> None:
        """Take what was handed over."""
        with self._lock:
            handed, self._handed = self._handed, []
        for answered in handed:
            (self._waiting if answered.partition.shared else self._ready).append(answered)

    @property
    def waiting(self) -> bool:
        """Whether any waits for the embedder."""
        return bool(self._waiting)

    def wait_no_more(self) -> None:
        """Have them saved with such vectors as there are."""
        self._ready.extend(self._waiting)
        self._waiting.clear()

    def batch(self, most: int) -> list[Answered]:
        """The first that can be saved; they stay here until they are :meth:`done`."""
        return [self._ready[place] for place in range(min(most, len(self._ready)))]

    def done(self, count: int) -> None:
        """So many of the first are saved."""
        self._release([self._ready.popleft() for _ in range(count)])

    def forget(self, tenant: str | None, user: str | None) -> int:
        """Give up what they asked; how many it were."""
        lots = (self._ready, self._waiting)
        theirs = [one for lot in lots for one in lot if _is_of(one, tenant, user)]
        for lot in lots:
            kept = [one for one in lot if not _is_of(one, tenant, user)]
            lot.clear()
            lot.extend(kept)
        self._release(theirs)
        return len(theirs)

    def drop(self, count: int | None = None) -> None:
        """Give up so many of the first, or all."""
        if count is None:
            self.wait_no_more()
            count = len(self._ready)
        with self._lock:
            self.dropped += count
        self.done(count)

    def _release(self, gone: Sequence[Answered]) -> None:
        with self._lock:
            self._count -= len(gone)
            self._characters -= sum(map(_size, gone))


def _is_of(answered: Answered, tenant: str | None, user: str | None) -> bool:
    return tenant in (None, answered.tenant) and user in (None, answered.user)


def _size(answered: Answered) -> int:
    return len(answered.question) + len(answered.response)
