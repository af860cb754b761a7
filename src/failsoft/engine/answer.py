"""What a request ends in, and the events a stream of one is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from failsoft.attempt import Attempt
from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.notices.notice import Notice
from failsoft.policy.breaker import CircuitState

__all__ = [
    "Answer",
    "DegradationLevel",
    "Phase",
    "StreamDone",
    "StreamError",
    "StreamEvent",
    "StreamInterrupted",
    "StreamRestart",
    "StreamStart",
    "StreamStatus",
    "StreamText",
]

Phase = Literal["retrying", "switching", "waiting", "degraded", "resuming"]


class DegradationLevel(StrEnum):
    """How a request was served, best first."""

    FULL = "full"
    CACHED = "cached"
    RULE = "rule"
    MINIMAL = "minimal"


class Answer(NamedTuple):
    """The one ending of a request.

    ``status`` is ``success`` (levels full, cached, rule) or ``error`` (minimal: the ``notice``
    speaks). ``text`` is what a model said, also where it was cut short (``finish`` is then
    ``interrupted``). It is ``length`` where ``max_tokens`` ended it, and ``paused`` where the model
    wants the conversation sent again to go on. ``message`` is the provider's own message as a dict,
    ``None`` where there is none. ``position`` counts from 0 along the chain. ``retry_in_seconds``
    is the true wait where it is known, in an error the notice's countdown; ``retry_after`` what is
    said to a program, also where a person has nothing to wait for. ``left_out`` are targets that
    could not take the request. ``circuit_state`` is that of the request's route.

    ``wasted_tokens`` are those of attempts whose answers were not used, as far as the provider
    reports: one turned away before it began (a 529) has none and costs nothing, one cut short has
    its input and often not all of its output. ``wasted_cost_usd`` is their price in US
    dollars by the settings of the targets or the provider's list, ``None`` where a price is not
    known. ``lost_cache_tokens`` are those of the prompt that a target had in its cache, or wrote to
    it, before the request went on to one that had them not; a target that turns a request away does
    not tell what it had. What the target that answered wrote to its own cache is in ``usage``.
    """

    status: Literal["success", "error"]
    level: DegradationLevel
    text: str
    request_id: str
    notice: Notice | None = None
    message: dict[str, Any] | None = None
    finish: Literal["complete", "length", "paused", "interrupted"] | None = None
    model: str | None = None
    target: str | None = None
    position: int | None = None
    hops: int = 0
    attempts: tuple[Attempt, ...] = ()
    left_out: tuple[str, ...] = ()
    usage: Mapping[str, Any] = MappingProxyType({})
    wasted_tokens: Mapping[str, int] = MappingProxyType({})
    wasted_cost_usd: float | None = 0.0
    lost_cache_tokens: int = 0
    verdict: Verdict | None = None
    retryable: bool = False
    error_category: ErrorCategory | None = None
    circuit_state: CircuitState = CircuitState.CLOSED
    suggested_actions: tuple[str, ...] = ()
    retry_in_seconds: float | None = None
    retry_after: float | None = None
    cache_age_seconds: float | None = None
    link: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Give it to pickle and copy, which cannot take a read-only mapping."""
        plain = (dict(one) if isinstance(one, MappingProxyType) else one for one in self)
        return type(self), tuple(plain)


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The first event."""

    type: ClassVar[str] = "start"
    request_id: str


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """Something a waiting person should know."""

    type: ClassVar[str] = "status"
    phase: Phase
    notice: Notice
    retry_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class StreamText:
    """Some text of the answer."""

    type: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class StreamRestart:
    """What was shown before belongs to a segment that is being replaced."""

    type: ClassVar[str] = "restart"
    segment: int


@dataclass(frozen=True, slots=True)
class StreamDone:
    """The answer is whole; ``answer.text`` is all of it, ``tokens`` the text events sent."""

    type: ClassVar[str] = "done"
    answer: Answer
    tokens: int


@dataclass(frozen=True, slots=True)
class StreamInterrupted:
    """Something was shown and the answer was cut short; what was shown stays."""

    type: ClassVar[str] = "stream_interrupted"
    answer: Answer
    tokens_before_error: int
    chars_before_error: int


@dataclass(frozen=True, slots=True)
class StreamError:
    """Nothing was shown and no level could answer; ``answer.notice`` speaks."""

    type: ClassVar[str] = "error"
    answer: Answer


StreamEvent = (
    StreamStart
    | StreamStatus
    | StreamText
    | StreamRestart
    | StreamDone
    | StreamInterrupted
    | StreamError
)
