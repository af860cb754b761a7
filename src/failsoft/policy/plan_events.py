"""The plan's protocol: events in, commands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from failsoft.classify.verdict import Verdict
from failsoft.policy.bench import Refusal
from failsoft.policy.target import Target
from failsoft.policy.timers import Limits

__all__ = [
    "BreakerClosed",
    "BreakerOpened",
    "Call",
    "Cancelled",
    "Command",
    "Failed",
    "Finished",
    "FirstContent",
    "Give",
    "GiveUp",
    "PlanEvent",
    "Refused",
    "Started",
    "TimerFired",
    "Wait",
]


@dataclass(frozen=True, slots=True)
class Started:
    """The request was admitted."""


@dataclass(frozen=True, slots=True)
class FirstContent:
    """Something was shown: from here on nothing is replayed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The call that was under way failed."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Refused:
    """The target asked for may not be called now."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Finished:
    """The call that was under way gave a whole answer."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The wait is over."""


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """A breaker opened while the request was waiting."""


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """A breaker closed while the request was waiting."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller left."""


PlanEvent = (
    Started
    | FirstContent
    | Failed
    | Refused
    | Finished
    | TimerFired
    | BreakerOpened
    | BreakerClosed
    | Cancelled
)


class Call(NamedTuple):
    """Call this target. ``position`` is its place in the chain, ``number`` counts from 1."""

    target: Target
    position: int
    number: int
    limits: Limits


class Wait(NamedTuple):
    """Wait until ``until`` (monotonic seconds) for ``target``.

    ``why`` is backoff, turn (of a retry), bench, ramp (after it), slow_start, probe (its result).
    """

    until: float
    why: str
    target: Target


@dataclass(frozen=True, slots=True)
class Give:
    """Give what there is: content as it comes, and in the end the answer."""


class GiveUp(NamedTuple):
    """No answer will come: why, the verdict to report, and when a target may be back.

    ``reason``: ``attempts``, ``deadline``, ``budget``, ``unavailable`` (everything open, benched or
    parked), ``saturated``, ``not_retryable``, ``effects``, ``interrupted``, ``cancelled``. The
    verdict is ``None`` only where nothing was tried and nothing is known.
    """

    reason: str
    verdict: Verdict | None
    back_at: float | None


Command = Call | Wait | Give | GiveUp
