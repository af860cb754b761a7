"""The timers of one attempt, run on content and never on bytes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from failsoft.classify.failures import TimedOut, Timer
from failsoft.engine.alarms import LoopAlarms
from failsoft.policy.timers import Limits

__all__ = ["Watchdog"]


class Watchdog:
    """Cancels the current task when its attempt goes on too long, and says which timer it was.

    Like :class:`asyncio.Timeout`, with whose cancellation rules it agrees: inside the block the
    task is cancelled, at its end :class:`~failsoft.classify.failures.TimedOut` is raised, unless
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
        due = self._due()
        if due < self._alarm_at:
            self._alarms.cancel(self._alarm)
            self._set(due)
        return True

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
        return min(silent_since + self._limits.idle_seconds, self._limits.answer_at)

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
