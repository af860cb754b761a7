"""What happened, as typed events; metrics, logs and the terminal are their subscribers.

Times are seconds; ``at`` is the wall clock (seconds since the epoch), for people and logs. A
subscriber that fails never breaks a call. All are given the same object: it is not to be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "Benched",
    "BreakerChanged",
    "CacheLookedUp",
    "Degraded",
    "DuplicateJoined",
    "Event",
    "FaultInjected",
    "FellBack",
    "PeriodGaveWay",
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "StoreChanged",
]

_T = TypeVar("_T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def _event(cls: type[_T]) -> type[_T]:
    """Frozen for type checkers alone: at run time each event would take four times as long."""
    return dataclass(slots=True, kw_only=True)(cls)


@_event
class Event:
    """One thing that happened. ``request_id`` is empty where no request is concerned."""

    at: float
    request_id: str = ""


@_event
class RequestStarted(Event):
    """A request was admitted."""

    route: str
    stream: bool


@_event
class AttemptStarted(Event):
    """A target is being called; ``number`` counts from 1 within the request.

    Its first content is due within ``period_seconds``, which were learned from about ``samples``
    calls, 0 where they were not.
    """

    target: str
    number: int
    period_seconds: float = 0.0
    samples: int = 0


@_event
class AttemptFinished(Event):
    """A call ended; ``outcome`` is success, failure or cancelled, ``category`` empty on success.

    ``tokens`` are the provider's own counts, as far as they arrived, and ``cost_usd`` their price,
    ``None`` where it is not known.
    """

    target: str
    number: int
    outcome: str
    category: str
    reason: str
    fault: str
    duration_seconds: float
    first_content_seconds: float | None
    detail: str
    tokens: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float | None = None
    soft_end: bool = False


@_event
class RetryScheduled(Event):
    """The request waits before its next call."""

    route: str
    wait_seconds: float
    reason: str


@_event
class FellBack(Event):
    """The request went on to another target."""

    route: str
    from_target: str
    to_target: str
    reason: str


@_event
class BreakerChanged(Event):
    """A breaker changed its state (closed, open, half_open).

    ``open_seconds`` are those until one that opened is probed, where that is known.
    """

    target: str
    from_state: str
    to_state: str
    reason: str
    open_seconds: float | None


@_event
class Benched(Event):
    """A scope is out until a time its provider named (bench), or for a set time (park)."""

    scope: str
    kind: str
    seconds: float
    reason: str


@_event
class PeriodGaveWay(Event):
    """A learned first-content period cut too many calls: the fixed one holds for ``fixed_seconds``.

    It cut ``cuts`` of the ``calls`` of a minute. ``thinks``: it was that of requests with thought.
    """

    target: str
    thinks: bool
    period_seconds: float
    cuts: int
    calls: int
    fixed_seconds: float


@_event
class Degraded(Event):
    """A request is served below ``full``."""

    route: str
    level: str
    reason: str


@_event
class CacheLookedUp(Event):
    """A saved answer was looked for; ``result`` is same, alike or miss."""

    route: str
    result: str


@_event
class DuplicateJoined(Event):
    """A request came a second time: it joined the first, or was given its answer again."""

    route: str


@_event
class FaultInjected(Event):
    """An attempt fails on purpose, with ``reason``; ``number`` as in :class:`AttemptStarted`."""

    target: str
    number: int
    reason: str


@_event
class StoreChanged(Event):
    """A store cannot be used, for the ``problem`` there is, or can be used again."""

    store: str
    up: bool
    problem: str


@_event
class RequestFinished(Event):
    """A request ended; ``outcome`` is success, error or cancelled, ``category`` none on success.

    ``interrupted`` is one whose text was cut short after some was shown. ``wasted_tokens`` and
    ``wasted_cost_usd`` are those of attempts whose answers were not used.
    ``back_in_seconds`` are those until the first target may be called again, where all are out.
    """

    route: str
    level: str
    outcome: str
    category: str
    reason: str
    fault: str
    target: str
    position: int | None
    attempts: int
    hops: int
    duration_seconds: float
    first_content_seconds: float | None = None
    interrupted: bool = False
    wasted_tokens: Mapping[str, int] = field(default_factory=dict)
    wasted_cost_usd: float | None = None
    back_in_seconds: float | None = None
