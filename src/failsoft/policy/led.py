"""A breaker or a hold whose truth is elsewhere: what it tells its leader, and what it is told.

While it is led it counts nothing and opens nothing by itself. Cut off from its leader it goes on
alone, from empty counts. A leader is called with the lock held, and only takes notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from failsoft.policy.circuit import CircuitState, Outcome

__all__ = ["ALONE", "BreakerLeader", "BreakerSeen", "Grants", "HoldLeader", "HoldSeen", "Leaders"]

Grants = Mapping[str, str]
"""Leases that a leader has granted: by the name of the breaker or the hold, the lease's id."""

ALONE: Grants = {}


class BreakerLeader(Protocol):
    """What a breaker tells."""

    @property
    def leads(self) -> bool:
        """Whether the leader can be reached."""
        ...

    def began(self) -> None:
        """A call has begun to answer: a success."""
        ...

    def failed(self, *, weight: int, older: int) -> None:
        """A call failed before its first content; see :class:`~.tripping.Counts`."""
        ...

    def cut(self) -> None:
        """A call that had begun has failed after all."""
        ...

    def probed(self, lease: str, outcome: Outcome, open_seconds: float) -> None:
        """A probe ended; ``open_seconds`` is for how long it opens anew, should it have failed."""
        ...

    def trip(self, open_seconds: float, reason: str) -> None:
        """It is to open, for what was learnt elsewhere."""
        ...

    def by_hand(self, act: Literal["isolate", "restore"]) -> None:
        """Somebody opened or closed it by hand."""
        ...


class HoldLeader(Protocol):
    """What a hold tells."""

    @property
    def leads(self) -> bool:
        """Whether the leader can be reached."""
        ...

    def held(self, seen: HoldSeen) -> None:
        """It was begun or extended."""
        ...

    def probed(self, lease: str, *, well: bool | None) -> None:
        """The probe after it ended."""
        ...

    def released(self) -> None:
        """It was ended by hand."""
        ...


class Leaders(Protocol):
    """The leaders of everything, by name."""

    def breaker(self, target: str) -> BreakerLeader:
        """The leader of that target's breaker."""
        ...

    def hold(self, scope: str) -> HoldLeader:
        """The leader of that scope's hold."""
        ...


class BreakerSeen(NamedTuple):
    """A breaker as its leader has it; times are this process's monotonic seconds.

    A ``generation`` ends with every change of state but that to half open. ``free_at`` is when a
    probe may be leased: 0 for at once.
    """

    generation: int
    state: CircuitState
    open_until: float
    closed_at: float | None
    reopened: int
    isolated: bool
    free_at: float
    reason: str


class HoldSeen(NamedTuple):
    """A hold as its leader has it; times are this process's monotonic seconds.

    ``cause`` is the verdict's reason. The slow start runs from ``ramp_from``.
    """

    generation: int
    kind: Literal["bench", "park"]
    until: float
    probe_due: bool
    parks: int
    ramp_from: float
    ramp_seconds: float
    free_at: float
    cause: str
