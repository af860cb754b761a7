"""One deadline for all the calls of a turn, and one timer of an event loop for all its attempts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import heapify, heappop, heappush
from threading import local

from failsoft.config.settings import Settings
from failsoft.errors import FailsoftError, SettingError
from failsoft.policy.timers import RequestTimes

__all__ = [
    "Alarms",
    "LoopAlarms",
    "deadline",
    "inherited_times",
    "monotonic",
    "request_times",
    "running_loop",
]


def monotonic() -> float:
    """Monotonic seconds: the running loop's clock, else the process's (both have one origin)."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


def running_loop() -> asyncio.AbstractEventLoop:
    """The running loop; raises :class:`~failsoft.errors.FailsoftError` where asyncio runs none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise FailsoftError(
            "Failsoft runs on asyncio, and no event loop of asyncio is running here. Under trio, "
            "or without a loop, call BlockingFailsoft in a thread (under trio by "
            "trio.to_thread.run_sync)"
        ) from None


_NEVER = float("inf")

_inherited: ContextVar[float | None] = ContextVar("failsoft_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[float]:
    """Give every call made inside the block one common deadline.

    ``seconds`` from now; an outer deadline that is nearer stays in force. Yields the seconds that
    are left at the start. Raises :class:`~failsoft.errors.SettingError` unless ``seconds`` is
    above 0.

        with failsoft.deadline(20):
            plan = await ai.ask("What is missing in this application?")
            letter = await ai.ask("Write the letter.", history=[...])
    """
    if not seconds > 0:
        raise SettingError("deadline", f"must be seconds above 0; it is {seconds!r}")
    outer = _inherited.get()
    at = monotonic() + seconds
    if outer is not None:
        at = min(at, outer)
    token = _inherited.set(at)
    try:
        yield at - monotonic()
    finally:
        _inherited.reset(token)


def inherited_times(now: float) -> RequestTimes:
    """The moments of what begins at ``now`` (monotonic seconds) and has no deadline of its own."""
    inherited = _inherited.get()
    until = _NEVER if inherited is None else inherited
    return RequestTimes(now, until, until, until)


def request_times(
    settings: Settings,
    now: float,
    *,
    timeout: float | None,
    stream: bool,
    own_seconds: float | None = None,
) -> RequestTimes:
    """The moments of a request that starts at ``now`` (monotonic seconds).

    ``timeout`` (seconds) is the caller's and caps everything, as does an inherited deadline.
    ``own_seconds`` stand in place of the deadline of the settings.
    """
    if timeout is not None and not timeout > 0:
        raise SettingError("timeout", f"must be seconds above 0; it is {timeout!r}")
    own = own_seconds
    if own is None:
        own = settings.effective_stream_deadline_seconds if stream else settings.deadline_seconds
    own_at, answer_at = now + own, now + max(own, settings.answer_timeout_seconds)
    inherited = _inherited.get()
    caller = inherited if timeout is None else min(now + timeout, inherited or _NEVER)
    if caller is None:
        return RequestTimes(now, own_at, own_at, answer_at)
    return RequestTimes(now, min(own_at, caller), own_at, min(answer_at, caller))


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

    def running(self) -> LoopAlarms:
        """The alarms of the running loop; raises as :func:`running_loop`."""
        loop, last = running_loop(), self._last
        if last is None or last.loop is not loop:
            last = self._last = LoopAlarms(loop)
        return last
