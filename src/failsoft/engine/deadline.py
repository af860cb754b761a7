"""One deadline for all the calls of a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from failsoft.config.settings import Settings
from failsoft.errors import FailsoftError, SettingError
from failsoft.policy.timers import RequestTimes

__all__ = ["deadline", "inherited_times", "monotonic", "request_times", "running_loop"]


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
