"""What happened, as typed events; metrics, logs and the terminal are their subscribers.

Times are seconds; ``at`` is the wall clock (seconds since the epoch), for people and logs. A
subscriber that fails never breaks a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    "RequestFinished",
    "RequestStarted",
    "RetryScheduled",
    "StoreChanged",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. ``request_id`` is empty where no request is concerned."""

    at: float
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted(Event):
    """A request was admitted."""

    route: str
    stream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """A target is being called; ``number`` counts from 1 within the request."""

    target: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    """The request waits before its next call."""

    route: str
    wait_seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    """The request went on to another target."""

    route: str
    from_target: str
    to_target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(Event):
    """A breaker changed its state (closed, open, half_open)."""

    target: str
    from_state: str
    to_state: str
    reason: str
    open_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benched(Event):
    """A scope is out until a time its provider named (bench), or for a set time (park)."""

    scope: str
    kind: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded(Event):
    """A request is served below ``full``."""

    route: str
    level: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLookedUp(Event):
    """A saved answer was looked for; ``result`` is same, alike or miss."""

    route: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateJoined(Event):
    """A request came a second time: it joined the first, or was given its answer again."""

    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjected(Event):
    """An attempt fails on purpose, with ``reason``; ``number`` as in :class:`AttemptStarted`."""

    target: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChanged(Event):
    """A store cannot be used, for the ``problem`` there is, or can be used again."""

    store: str
    up: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished(Event):
    """A request ended; ``outcome`` is success, error or cancelled, ``category`` none on success.

    ``interrupted`` is one whose text was cut short before somebody's eyes. ``wasted_tokens`` and
    ``wasted_cost_usd`` are those of attempts whose answers were not used.
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
