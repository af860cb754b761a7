"""The words of a circuit breaker: its states, what it hands out, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

__all__ = ["BreakerStatus", "CircuitState", "Outcome", "Rejection", "Ticket", "Transition"]


class CircuitState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(Enum):
    """What a finished call says of its target."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


@dataclass(slots=True, eq=False)
class Ticket:
    """Leave to make one call. ``expires_at`` is the end of a probe's lease, else ``None``.

    ``ahead`` calls were undecided when it was given, and ``decided`` had been decided by then;
    ``begun_at`` is when the call began to answer; ``lease`` the id of a granted one.
    """

    generation: int
    expires_at: float | None = None
    ahead: int = 0
    decided: int = 0
    begun_at: float | None = None
    spent: bool = False
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """No leave: why (``open``, ``half_open``, ``ramp``, ``isolated``) and until when."""

    why: Literal["open", "half_open", "ramp", "isolated"]
    until: float


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state; ``open_seconds`` is how long it stays open, where it opened."""

    before: CircuitState
    after: CircuitState
    reason: str
    open_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """A snapshot; counts are of the window, ``recovery_in_seconds`` runs to the next probe."""

    state: CircuitState
    calls: int
    failures: int
    failures_in_row: int
    recovery_in_seconds: float | None
    isolated: bool
