"""The failures that failsoft itself observes on the wire, as exceptions a provider raises.

    WireFailure
     ├── ReplyFailed     a reply that is an error: a status, or an error body under a 200
     ├── StreamFailed    an ``error`` event inside a stream that began with 200
     ├── StreamCut       the stream ended, or broke, before its terminal event
     ├── BadReply        a 200 that is not a reply: HTML, cut JSON, no events at all
     ├── EmptyAnswer     a complete answer that shows a person nothing
     ├── Stopped         a complete answer that is no answer: refusal, context window exceeded
     └── TimedOut        one of failsoft's own timers fired

They carry evidence, not decisions: :func:`failsoft.classify.classify` turns each into a Verdict.
They never reach a user of the library; what failsoft raises is in :mod:`failsoft.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = [
    "BadReply",
    "EmptyAnswer",
    "ReplyFailed",
    "Stopped",
    "StreamCut",
    "StreamFailed",
    "TimedOut",
    "Timer",
    "WireFailure",
]

_NO_HEADERS: Mapping[str, str] = {}


class WireFailure(Exception):
    """Evidence of a failure: status, headers (any case) and raw body, as far as they are known."""

    def __init__(
        self,
        detail: str = "",
        *,
        status: int | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | str | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.headers = headers
        self.body = body


class ReplyFailed(WireFailure):
    """The provider answered with an error status, or with an error body under a 200."""


class StreamFailed(WireFailure):
    """An ``error`` event came in a stream that had begun with 200; ``body`` is the event's data."""


class StreamCut(WireFailure):
    """The stream ended cleanly, or broke, before its terminal event."""


class BadReply(WireFailure):
    """A 200 whose body is no reply: an HTML page, cut JSON, no events at all."""


class EmptyAnswer(WireFailure):
    """A complete answer without a visible character, where a person is to see one.

    ``thought`` says that ``max_tokens`` were spent on thought alone.
    """

    def __init__(self, detail: str, *, thought: bool) -> None:
        super().__init__(detail)
        self.thought = thought


class Stopped(WireFailure):
    """A complete message that did not answer; ``body`` is the message, with its ``stop_reason``."""


class Timer(StrEnum):
    """Which of failsoft's timers ended an attempt."""

    FIRST_CONTENT = "first_content"
    IDLE = "idle"
    DEADLINE = "deadline"
    OPENED = "opened"
    """No timer, but its target's breaker: it opened by the timeouts of other calls."""


_OPENED = "ended for another target, when other calls' timeouts opened its breaker,"


class TimedOut(WireFailure):
    """failsoft's own timer fired.

    ``full_period`` says whether the target was given the whole period the settings grant it; a
    shorter period (the caller's own limit) says nothing against the target and is neutral.
    """

    def __init__(self, timer: Timer, seconds: float, *, full_period: bool) -> None:
        what = _OPENED if timer is Timer.OPENED else f"{timer} timer fired"
        super().__init__(f"{what} after {seconds:.3f} s")
        self.timer = timer
        self.seconds = seconds
        self.full_period = full_period
