"""The timers of one event loop's attempts, behind a single timer of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from threading import local

__all__ = ["Alarms", "LoopAlarms"]

_NEVER = float("inf")

# Fewer entries than these are not worth sweeping.
_FEW = 64


class LoopAlarms:
    """Calls back at moments of the loop's clock. For the thread of its loop only.

    Nearly every alarm is cancelled: attempts end before their timers. A timer of the loop costs
    several times the entry that is made here, so there is one, armed for the earliest entry, and
    cancelling leaves both where they are: what is no longer wanted is skipped when its moment
    comes, or swept once it is the greater part.
    """

    __slots__ = ("_armed_for", "_due", "_handle", "_number", "_rings", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._number = 0
        self._rings: dict[int, Callable[[], None]] = {}
        self._due: list[tuple[float, int]] = []
        self._armed_for = _NEVER
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float, ring: Callable[[], None]) -> int:
        """Have ``ring`` called at ``at``, once; the number is for :meth:`cancel`."""
        number = self._number = self._number + 1
        self._rings[number] = ring
        heappush(self._due, (at, number))
        if at < self._armed_for:
            self._arm(at)
        return number

    def cancel(self, number: int) -> None:
        """Forget an alarm, rung or not."""
        rings = self._rings
        rings.pop(number, None)
        if len(self._due) > 2 * len(rings) + _FEW:
            self._due = [entry for entry in self._due if entry[1] in rings]
            heapify(self._due)

    def _arm(self, at: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = at
        self._handle = self.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._armed_for, self._handle = _NEVER, None
        now, rings, ringing = self.loop.time(), self._rings, []
        while self._due and (self._due[0][0] <= now or self._due[0][1] not in rings):
            ring = rings.pop(heappop(self._due)[1], None)
            if ring is not None:
                ringing.append(ring)
        if self._due:
            self._arm(self._due[0][0])
        for ring in ringing:
            ring()


class Alarms(local):
    """The alarms of the running loop: each thread has those of the loop it runs."""

    _last: LoopAlarms | None = None

    def of(self, loop: asyncio.AbstractEventLoop) -> LoopAlarms:
        """The alarms of ``loop``, which this thread is running."""
        last = self._last
        if last is None or last.loop is not loop:
            last = self._last = LoopAlarms(loop)
        return last
