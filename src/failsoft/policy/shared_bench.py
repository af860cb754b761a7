"""A bench that is led: a bench or a park of one scope, the same in all processes."""

from __future__ import annotations

from random import Random

from failsoft.classify import REASONS, verdict_for
from failsoft.classify.verdict import Verdict
from failsoft.config.settings import RetrySettings
from failsoft.policy.bench import Bench, Lease, Refusal
from failsoft.policy.coordination import (
    MERGED_SECONDS,
    BenchCoordinator,
    BenchSeen,
    Granted,
    WaitingLease,
)

__all__ = ["SharedBench"]


class SharedBench(Bench):
    """Applies a change at once and sends it to its coordinator; its probe needs a granted lease.

    See :class:`~failsoft.policy.shared_breaker.SharedBreaker`.
    """

    def __init__(
        self,
        scope: str,
        retry: RetrySettings,
        *,
        ramp_seconds: float,
        rng: Random,
        coordinator: BenchCoordinator,
    ) -> None:
        super().__init__(scope, retry, ramp_seconds=ramp_seconds, rng=rng)
        self._coordinator = coordinator
        self.seen_generation = 0  # read without the lock
        self._seen_born = 0
        self._free_at = 0.0
        self._waiting = WaitingLease()
        self._untold = False

    def needs_grant(self, now: float) -> bool:
        """Whether the next call would be a probe that the coordinator has to grant first."""
        if not (self.active and self._probe_due and self._coordinator.leads):
            return False
        return not self._waiting.usable(now) and self.peek(now) is None

    def grant(self, granted: Granted) -> None:
        """Keep a lease for the next caller; one of an older generation is void."""
        with self._lock:
            self._waiting.put(granted, self.seen_generation)

    def forked(self) -> None:
        """See :meth:`.Bench.forked`: what was granted, the parent was granted."""
        super().forked()
        self._waiting.take()

    def lost(self, lease: str) -> None:
        """See :meth:`.SharedBreaker.lost`."""
        self._coordinator.probed(lease, well=None)

    def give_back(self) -> None:
        """Give an unused lease back."""
        with self._lock:
            if granted := self._waiting.take():
                self._coordinator.probed(granted.lease, well=None)

    def bench(self, now: float, seconds: float, verdict: Verdict | None) -> float | None:
        """See :meth:`.Bench.bench`; it is one everywhere."""
        granted = super().bench(now, seconds, verdict)
        if granted is not None:
            self._say(min(self._ramp_seconds, granted))
        return granted

    def park(self, now: float, verdict: Verdict) -> float | None:
        """See :meth:`.Bench.park`; it is one everywhere."""
        seconds = super().park(now, verdict)
        if seconds is not None:
            self._say(0.0)
        return seconds

    def release(self) -> None:
        """Let in at once, by hand, everywhere."""
        super().release()
        self._coordinator.released()

    def seen(self) -> BenchSeen:
        """What it has itself, to be merged where its coordinator knows less."""
        with self._lock:
            return self._seen(0.0)

    def adopt(
        self, seen: BenchSeen, now: float, *, merged: bool = False, anew: bool = False
    ) -> None:
        """Take over what the coordinator has; ``anew`` also where it is what was seen last.

        See :meth:`.SharedBreaker.adopt`. A time shorter than one that the coordinator may not know
        of is ignored too: the next message merges that.
        """
        with self._lock:
            if self._seen_born not in (0, seen.born) and not merged:
                return
            self._seen_born = seen.born
            if seen.generation < self.seen_generation:
                return
            new = seen.generation > self.seen_generation or anew
            if new and self._untold and self.until > max(now, seen.until + MERGED_SECONDS):
                return
            self.seen_generation, self._free_at = seen.generation, seen.free_at
            if new:
                self._adopt(seen, now)

    def _adopt(self, seen: BenchSeen, now: float) -> None:
        self._untold = False
        self._kind, self.until = seen.kind, seen.until
        self._probe_due, self._parks = seen.probe_due, seen.parks
        self._waiting.take()
        self._lease = None
        ramp_ends = seen.ramp_from + seen.ramp_seconds
        self.active = self._probe_due or max(self.until, ramp_ends) > now
        self._ramp.begin(seen.ramp_from, seen.ramp_seconds)
        if seen.cause in REASONS and (self.verdict is None or self.verdict.reason != seen.cause):
            self.verdict = verdict_for(seen.cause)

    def _say(self, ramp_seconds: float) -> None:
        with self._lock:
            self._untold = True
            if self._coordinator.leads:
                self._coordinator.held(self._seen(ramp_seconds))

    def _seen(self, ramp_seconds: float) -> BenchSeen:
        return BenchSeen(
            generation=self.seen_generation,
            born=self._seen_born,
            kind=self._kind,
            until=self.until,
            probe_due=self._probe_due,
            parks=self._parks,
            ramp_from=self.until,
            ramp_seconds=ramp_seconds,
            free_at=self._free_at,
            cause="" if self.verdict is None else self.verdict.reason,
            alone=self._untold,
        )

    def _refuse(self, now: float) -> Refusal | None:
        refusal = super()._refuse(now)
        if refusal is not None or not (self.active and self._probe_due and self._coordinator.leads):
            return refusal
        if self._free_at > now and not self._waiting.usable(now):
            return Refusal(self._kind, self._free_at, self.verdict)
        return None

    def _probe(self, now: float, expires_at: float) -> Lease | Refusal:
        if not self._coordinator.leads:
            return super()._probe(now, expires_at)
        granted = self._waiting.take_usable(now)
        if granted is None:
            return Refusal(self._kind, max(now, self._free_at), self.verdict)
        self._lease = Lease(min(expires_at, granted.expires_at), granted.lease)
        return self._lease

    def _probed(self, lease: Lease, now: float, *, well: bool | None) -> None:
        if lease.id is not None:
            self._coordinator.probed(lease.id, well=well)
        if lease.id is None or not self._coordinator.leads:
            super()._probed(lease, now, well=well)
