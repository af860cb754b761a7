"""The messages between shared breakers and benches and their coordinator.

While it is led, a breaker counts nothing and opens nothing by itself. Cut off from its coordinator
it goes on alone, from empty counts. A coordinator is called with a lock held, and only takes notes.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from failsoft.policy.breaker import CircuitState, Outcome

__all__ = [
    "MERGED_SECONDS",
    "Act",
    "BenchCoordinator",
    "BenchSeen",
    "BreakerCoordinator",
    "BreakerSeen",
    "Granted",
    "WaitingLease",
]

MERGED_SECONDS: Final = 0.6
"""Two ends of one time that differ by less are the same one, read from two clocks: theirs are taken
to differ by up to half a second before one counts as set."""


Act = Literal["isolate", "restore"]


class BreakerCoordinator(Protocol):
    """What a breaker sends."""

    @property
    def leads(self) -> bool:
        """Whether the coordinator can be reached."""
        ...

    def began(self, *, ends_row: bool) -> None:
        """A call has begun to answer: a success, which ends a row of failures or is older."""
        ...

    def failed(self, *, weight: int, older: int) -> None:
        """A call failed before its first content; see :class:`~.tripping.Counts`."""
        ...

    def cut(self) -> None:
        """A call that had begun has failed after all."""
        ...

    def probed(self, lease: str, outcome: Outcome, open_seconds: float) -> None:
        """A probe ended; ``open_seconds`` is for how long it opens again, should it have failed."""
        ...

    def tripped(self, open_seconds: float, reason: str) -> None:
        """It is to open, for what was learnt elsewhere."""
        ...

    def by_hand(self, act: Act) -> None:
        """It was opened or closed by hand."""
        ...


class BenchCoordinator(Protocol):
    """What a bench sends."""

    @property
    def leads(self) -> bool:
        """Whether the coordinator can be reached."""
        ...

    def held(self, seen: BenchSeen) -> None:
        """It was begun or extended."""
        ...

    def probed(self, lease: str, *, well: bool | None) -> None:
        """The probe after it ended."""
        ...

    def released(self) -> None:
        """It was ended by hand."""
        ...


class Granted(NamedTuple):
    """A lease of a ``generation``, granted until ``expires_at`` (monotonic seconds)."""

    generation: int
    lease: str
    expires_at: float


class WaitingLease:
    """The lease that was granted and not taken yet. Not locked: its owner is."""

    __slots__ = ("_granted",)

    def __init__(self) -> None:
        self._granted: Granted | None = None

    def put(self, granted: Granted, generation: int) -> None:
        """Keep it for the next caller; one of another generation is void."""
        if granted.generation == generation:
            self._granted = granted

    def usable(self, now: float) -> bool:
        """Whether there is one that has not ended."""
        return self._granted is not None and self._granted.expires_at > now

    def take(self) -> Granted | None:
        """What there is, ended or not; it is no longer there then."""
        granted, self._granted = self._granted, None
        return granted

    def take_usable(self, now: float) -> Granted | None:
        """What there is, unless it has ended; it is no longer there then."""
        usable, granted = self.usable(now), self.take()
        return granted if usable else None


class BreakerSeen(NamedTuple):
    """A breaker as its coordinator has it; times are this process's monotonic seconds.

    A ``generation`` ends with every change of state but that to half open; a coordinator that lost
    all it knew has another ``born``. A probe may be leased
    from ``free_at`` on. ``alone``: it changed while it was cut off from its coordinator.
    ``one_caller``: in every process the failures that opened it were of one caller. ``on_trial``:
    it has closed, and any failure opens it.
    """

    generation: int
    born: int
    state: CircuitState
    open_until: float
    isolated: bool
    free_at: float
    reason: str
    alone: bool = False
    one_caller: bool = False
    on_trial: bool = False


class BenchSeen(NamedTuple):
    """A bench as its coordinator has it; times are this process's monotonic seconds.

    ``cause`` is the reason of the verdict that led to it. A slow start runs from ``ramp_from`` for
    ``ramp_seconds``. ``born``, ``alone`` and ``free_at`` are as in :class:`BreakerSeen`.
    """

    generation: int
    born: int
    kind: Literal["bench", "park"]
    until: float
    probe_due: bool
    parks: int
    ramp_from: float
    ramp_seconds: float
    free_at: float
    cause: str
    alone: bool = False
