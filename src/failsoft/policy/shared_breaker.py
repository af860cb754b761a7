"""A breaker that is led: one of many, in many processes, that are the same one."""

from __future__ import annotations

from collections.abc import Callable

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket, Transition
from failsoft.policy.coordination import (
    MERGED_SECONDS,
    BreakerCoordinator,
    BreakerSeen,
    Granted,
    WaitingLease,
)
from failsoft.policy.tripping import Counts, trips

__all__ = ["SharedBreaker"]


class SharedBreaker(Breaker):
    """Rejects by what its coordinator had when last seen; safe under threads.

    A closed one asks no one. A probe needs a lease that the coordinator grants: where
    :meth:`needs_grant` says so, one is asked for and put into :meth:`grant` before ``allow``.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        coordinator: BreakerCoordinator,
        on_change: Callable[[Transition], None] | None = None,
    ) -> None:
        super().__init__(settings, on_change=on_change)
        self._coordinator = coordinator
        self.seen_generation = 0  # read without the lock
        self._seen_born = 0
        self._free_at = 0.0
        self._waiting = WaitingLease()
        self._alone = False
        self._by_hand = False
        self._one_caller = self._on_trial = False
        self._processes = 1
        self._told: tuple[Counts, float] | None = None  # what the coordinator has counted, and when

    @property
    def one_caller(self) -> bool | None:
        """See :attr:`.Breaker.one_caller`."""
        return self._one_caller if self._coordinator.leads else None

    @property
    def on_trial(self) -> bool:
        """See :attr:`.Breaker.on_trial`."""
        return self._on_trial if self._coordinator.leads else super().on_trial

    @property
    def processes(self) -> int:
        """See :attr:`.Breaker.processes`."""
        return self._processes if self._coordinator.leads else 1

    def needs_grant(self, now: float, *, early: bool) -> bool:
        """Whether the next call would be a probe that the coordinator has to grant first."""
        if self._state is CircuitState.CLOSED or not self._coordinator.leads:
            return False
        return not self._waiting.usable(now) and self._peek(now, early=early) is None

    def grant(self, granted: Granted) -> None:
        """Keep a lease for the next caller; one of an older generation is void."""
        with self._lock:
            self._waiting.put(granted, self.seen_generation)

    def forked(self) -> None:
        """See :meth:`.Breaker.forked`: what was granted, the parent was granted."""
        super().forked()
        self._waiting.take()

    def lost(self, lease: str) -> None:
        """Whether ``lease`` was granted is not known: no process is to wait for its end."""
        self._coordinator.probed(lease, Outcome.NEUTRAL, 0.0)

    def give_back(self) -> None:
        """Give an unused lease back."""
        with self._lock:
            if granted := self._waiting.take():
                self._coordinator.probed(granted.lease, Outcome.NEUTRAL, 0.0)

    def counted(self, counts: Counts, now: float, *, processes: int) -> None:
        """What its coordinator has counted, of so many processes."""
        with self._lock:
            self._told = counts, now
            self._processes = max(1, processes)

    def opening(self, counts: Counts, now: float) -> tuple[float, str] | None:
        """For how many seconds it opens for what its coordinator counted, and why."""
        with self._lock:
            closed = self._state is CircuitState.CLOSED
            reason = trips(self._settings, counts) if closed else None
            if reason is None:
                return None
            self._opened_by = (counts.calls, counts.failures)
            return self._open_for(now), reason

    def seen(self) -> BreakerSeen:
        """What it has itself, to be merged where its coordinator knows less."""
        with self._lock:
            return BreakerSeen(
                generation=self.seen_generation,
                born=self._seen_born,
                state=self._state,
                open_until=self._open_until,
                isolated=self._isolated,
                free_at=self._free_at,
                reason="merged",
                alone=self._alone,
            )

    def adopt(
        self, seen: BreakerSeen, now: float, *, merged: bool = False, anew: bool = False
    ) -> None:
        """Take over what the coordinator has; ``anew`` drops what was counted without it.

        What is older than what was seen last is ignored, and so is what a coordinator says that has
        lost all it knew, until it has received what is known here and that is ``merged``.
        """
        with self._lock:
            if self._seen_born not in (0, seen.born) and not merged:
                return
            self._seen_born = seen.born
            change = self._adopt(seen, now, anew=anew)
        self._tell(change)

    def isolate(self) -> None:
        """Open by hand everywhere, until :meth:`restore`."""
        self._by_hand = True
        super().isolate()
        self._coordinator.by_hand("isolate")

    def restore(self) -> None:
        """Close by hand everywhere."""
        self._by_hand = True
        super().restore()
        self._coordinator.by_hand("restore")

    def _adopt(self, seen: BreakerSeen, now: float, *, anew: bool) -> Transition | None:
        same = seen.generation == self.seen_generation
        # What was done here by hand ends this generation as soon as it is sent.
        if seen.generation < self.seen_generation or (same and self._by_hand):
            return None
        if anew and self._untold_opening(seen, now):
            return None
        if same and not anew:
            self._free_at, self._on_trial = seen.free_at, seen.on_trial
            # Half open begins with a lease; a word of open that comes late does not end it.
            if (self._state, seen.state) == (CircuitState.OPEN, CircuitState.HALF_OPEN):
                return self._move(CircuitState.HALF_OPEN, seen.reason)
            # They differ only where this one moved while it began to be led again.
            if (self._state is CircuitState.CLOSED) == (seen.state is CircuitState.CLOSED):
                return None
        return self._take_over(seen, now)

    def _untold_opening(self, seen: BreakerSeen, now: float) -> bool:
        """Whether it opened by itself after it last sent what it has: the next word merges that."""
        longer = self._open_until > max(now, seen.open_until + MERGED_SECONDS)
        untold = longer or seen.state is CircuitState.CLOSED
        return self._alone and self._state is CircuitState.OPEN and untold

    def _counted(self, now: float) -> tuple[int, int, int]:
        if not self._coordinator.leads:
            return super()._counted(now)
        if self._told is None or now - self._told[1] > self._settings.window_seconds:
            return 0, 0, 0
        counts = self._told[0]
        return counts.calls, counts.failures, counts.in_row

    def _take_over(self, seen: BreakerSeen, now: float) -> Transition:
        self.seen_generation, self._free_at = seen.generation, seen.free_at
        self._open_until = seen.open_until
        self._isolated = seen.isolated
        self._one_caller, self._on_trial = seen.one_caller, seen.on_trial
        self._waiting.take()
        waits = None
        if seen.state is CircuitState.OPEN:
            self.opened_at, waits = now, seen.open_until - now
        change = self._move(seen.state, seen.reason, waits)
        self._alone = self._by_hand = False
        return change

    def _probe(self, now: float, expires_at: float) -> tuple[Ticket | Rejection, Transition | None]:
        if not self._coordinator.leads:
            return super()._probe(now, expires_at)
        granted = self._waiting.take_usable(now)
        if granted is None:
            if self._state is CircuitState.OPEN and now < self._open_until:
                return Rejection("open", self._open_until), None
            return self._probed(now, self._free_at), None
        expires_at = min(expires_at, granted.expires_at)
        change = None
        if self._state is CircuitState.OPEN:
            change = self._move(CircuitState.HALF_OPEN, "probed")
        return self._lend(expires_at, granted.lease), change

    def _lease_taken(self, now: float) -> Rejection | None:
        if not self._coordinator.leads:
            return super()._lease_taken(now)
        taken = self._free_at > now and not self._waiting.usable(now)
        return self._probed(now, self._free_at) if taken else None

    def _begun(self, ticket: Ticket, now: float) -> None:
        if not self._coordinator.leads:
            super()._begun(ticket, now)
            return
        ticket.begun_at = now
        self._decided += 1
        self._coordinator.began(ends_row=self._ends_row(ticket))

    def _cut(self, ticket: Ticket, now: float) -> Transition | None:
        if not self._coordinator.leads:
            return super()._cut(ticket, now)
        self._coordinator.cut()
        return None

    def _count(self, now: float, weight: int, older: int) -> Transition | None:
        if not self._coordinator.leads:
            return super()._count(now, weight, older)
        self._coordinator.failed(weight=weight, older=older)
        return None

    def _probe_done(self, ticket: Ticket, outcome: Outcome, now: float) -> Transition | None:
        # A lease is the coordinator's also where that cannot be reached now.
        if ticket in self._leases and ticket.lease is not None:
            self._coordinator.probed(ticket.lease, outcome, self._open_for(now))
        if not self._coordinator.leads:
            return super()._probe_done(ticket, outcome, now)
        if ticket in self._leases:
            self._leases.remove(ticket)
        return None

    def _trip(self, now: float, reason: str) -> Transition | None:
        if not self._coordinator.leads:
            return super()._trip(now, reason)
        self._coordinator.tripped(self._open_for(now), reason)
        return None

    def _move(
        self, after: CircuitState, reason: str, open_seconds: float | None = None
    ) -> Transition:
        self._alone = not self._coordinator.leads
        if self._told is not None and self._opened_by == (0, 0):
            self._opened_by = self._told[0][:2]
        self._told = None
        return super()._move(after, reason, open_seconds)
