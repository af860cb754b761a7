"""One deadline for all the calls of a turn, and the timers of one attempt.

The timers run on content and never on bytes. All attempts of an event loop share one timer of the
loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import heapify, heappop, heappush
from threading import local
from types import TracebackType
from typing import Self

from failsoft.classify.wire_errors import TimedOut, Timer
from failsoft.config.settings import Settings
from failsoft.errors import FailsoftError, SettingError
from failsoft.policy.timers import Limits, RequestTimes

__all__ = [
    "Alarms",
    "LoopAlarms",
    "Watchdog",
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


class Watchdog:
    """Cancels the current task when its attempt goes on too long, and says which timer it was.

    Like :class:`asyncio.Timeout`, with whose cancellation rules it agrees: inside the block the
    task is cancelled, at its end :class:`~failsoft.classify.wire_errors.TimedOut` is raised, unless
    the caller cancelled the task too. Unlike it, moving the moment back costs one store: content
    comes far more often than timers fire.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_alarms",
        "_began_at",
        "_begun",
        "_cancelling",
        "_clock",
        "_fired",
        "_limits",
        "_paused",
        "_task",
        "_thinks",
        "last_content_at",
    )

    def __init__(self, limits: Limits, alarms: LoopAlarms, now: float) -> None:
        self._limits = limits
        self._alarms = alarms
        self._clock = alarms.loop.time
        self._fired: Timer | None = None
        self._paused = False
        self._began_at = self.last_content_at = now
        self._begun = False
        self._thinks = False

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._alarms.loop)
        if task is None:
            raise RuntimeError("a watchdog needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._set(self._due())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alarms.cancel(self._alarm)
        if self._fired is None:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._timed_out(self._fired) from error

    def content(self) -> bool:
        """Content has come; true the first time."""
        self.last_content_at = self._clock()
        if self._begun:
            return False
        self._begun = True
        # Silence may end the attempt sooner than the first content would have had to come.
        if self.last_content_at + self._limits.idle_seconds < self._alarm_at:
            self._bring_forward()
        return True

    def thinking(self, *, thinks: bool) -> None:
        """A block of thought opens or closes; silence in it may be longer."""
        self._thinks = thinks
        self._bring_forward()

    def _bring_forward(self) -> None:
        due = self._due()
        if due < self._alarm_at:
            self._alarms.cancel(self._alarm)
            self._set(due)

    def pause(self) -> None:
        """The reader is the one that is slow: silence is not the target's."""
        self._paused = True

    def resume(self) -> None:
        """The reader has caught up."""
        self._paused = False
        self.last_content_at = self._clock()

    def _set(self, due: float) -> None:
        self._alarm_at = due
        self._alarm = self._alarms.set(due, self._check)

    def _due(self) -> float:
        if not self._begun:
            return min(self._limits.first_content_at, self._limits.answer_at)
        silent_since = self._clock() if self._paused else self.last_content_at
        limits = self._limits
        longest = limits.thinking_seconds if self._thinks else limits.idle_seconds
        return min(silent_since + longest, limits.answer_at)

    def _check(self) -> None:
        due = self._due()
        if self._clock() < due:
            self._set(due)
            return
        self._fired = self._which(due)
        self._task.cancel()

    def _which(self, due: float) -> Timer:
        if due >= self._limits.answer_at:
            return Timer.DEADLINE
        return Timer.FIRST_CONTENT if not self._begun else Timer.IDLE

    def _timed_out(self, timer: Timer) -> TimedOut:
        seconds = self._clock() - self._began_at
        full = timer is Timer.IDLE or (timer is Timer.FIRST_CONTENT and self._limits.full_period)
        return TimedOut(timer, seconds, full_period=full)
