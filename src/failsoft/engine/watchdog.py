"""The timers of one attempt, run on content and never on bytes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from failsoft.classify.failures import TimedOut, Timer
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
        "_began_at",
        "_begun",
        "_cancelling",
        "_fired",
        "_handle",
        "_limits",
        "_loop",
        "_paused",
        "_task",
        "last_content_at",
    )

    def __init__(self, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._limits = limits
        self._loop = loop
        self._fired: Timer | None = None
        self._paused = False
        self._began_at = self.last_content_at = loop.time()
        self._begun = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a watchdog needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._handle = self._loop.call_at(self._due(), self._check)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        if self._fired is None:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._timed_out(self._fired) from error

    def content(self) -> bool:
        """Content has come; true the first time."""
        self.last_content_at = self._loop.time()
        if self._begun:
            return False
        self._begun = True
        self._bring_forward()
        return True

    def pause(self) -> None:
        """The reader is the one that is slow: silence is not the target's."""
        self._paused = True

    def resume(self) -> None:
        """The reader has caught up."""
        self._paused = False
        self.last_content_at = self._loop.time()

    def _due(self) -> float:
        if not self._begun:
            return min(self._limits.first_content_at, self._limits.answer_at)
        silent_since = self._loop.time() if self._paused else self.last_content_at
        return min(silent_since + self._limits.idle_seconds, self._limits.answer_at)

    def _bring_forward(self) -> None:
        """Silence may end the attempt sooner than the first content would have had to come."""
        due = self._due()
        if due < self._handle.when():
            self._handle.cancel()
            self._handle = self._loop.call_at(due, self._check)

    def _check(self) -> None:
        due = self._due()
        if self._loop.time() < due:
            self._handle = self._loop.call_at(due, self._check)
            return
        self._fired = self._which(due)
        self._task.cancel()

    def _which(self, due: float) -> Timer:
        if due >= self._limits.answer_at:
            return Timer.DEADLINE
        return Timer.FIRST_CONTENT if not self._begun else Timer.IDLE

    def _timed_out(self, timer: Timer) -> TimedOut:
        seconds = self._loop.time() - self._began_at
        full = timer is Timer.IDLE or (timer is Timer.FIRST_CONTENT and self._limits.full_period)
        return TimedOut(timer, seconds, full_period=full)
