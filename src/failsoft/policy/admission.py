"""Decides whether a target may be called now: its breaker, its benches and its bulkhead.

:class:`TargetGuard` is one target's. :class:`Guards` carries a verdict to everything it concerns:
the other models on a dead host, the family that shares a rate limit, the account that shares a
bill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Protocol

from failsoft.classify.verdict import BenchScope, BreakerEffect, ErrorCategory, Verdict
from failsoft.config.settings import BreakerSettings, Settings
from failsoft.policy.bench import Bench, Lease, Refusal
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket, Transition
from failsoft.policy.callers import Caller, FairShare
from failsoft.policy.coordination import BenchCoordinator, BreakerCoordinator
from failsoft.policy.pacing import Bulkhead, Place
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target import Target

__all__ = ["Coordinators", "Guards", "Held", "HostRow", "Permit", "TargetGuard"]

# Accounts of callers that a process keeps apart, 2 KB each: with users' own keys there may be
# any number.
_MOST_CALLERS = 1000

# A second 429 without a stated wait benches within this time of the first. Calls that began less
# than half a second after the first are of the same burst and have not met it again.
_AGAIN_SECONDS = 60.0
_BURST_SECONDS = 0.5


class HostRow:
    """Counts connection failures in a row over all targets of one host.

    Kept apart from the targets' own breakers: a reply from any target proves the host alive, while
    a row carried into the breaker of a target without calls would never be broken by a success.
    """

    __slots__ = ("_began", "_count", "_lock", "_settings")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._count = 0
        self._began = 0.0
        self._lock = Lock()

    @property
    def failures(self) -> int:
        """Connection failures in a row."""
        return self._count

    def failed(self, now: float) -> bool:
        """Count a connection failure; whether the host is to be taken for dead."""
        with self._lock:
            if not self._count:
                self._began = now
            self._count += 1
            return self._is_dead(now)

    def dead(self, now: float) -> bool:
        """Whether the host is to be taken for dead."""
        with self._lock:
            return self._is_dead(now)

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`."""
        self._lock = Lock()

    def _is_dead(self, now: float) -> bool:
        spanned = now - self._began >= self._settings.failure_span_seconds
        return spanned and self._count >= self._settings.failure_threshold

    def alive(self) -> None:
        """The host has replied, well or not."""
        if self._count:
            with self._lock:
                self._count = 0


class Permit:
    """Leave to make one call. Give it back by :meth:`Guards.finish`: the first time counts."""

    __slots__ = ("began", "caller", "guard", "leases", "place", "ticket")

    def __init__(
        self,
        guard: TargetGuard,
        ticket: Ticket,
        place: Place,
        leases: list[tuple[Bench, Lease]],
        caller: Caller | None,
        *,
        began: float,
    ) -> None:
        self.guard = guard
        self.began = began
        self.caller = caller
        self.ticket = ticket
        self.place = place
        self.leases = leases

    def first_content(self, now: float) -> None:
        """The target has begun to answer: a probe has done its work."""
        guard = self.guard
        guard.host.alive()
        if guard.share.row:
            guard.share.answered()
        if self.caller is not None:
            self.caller.route.note(self.caller.who, now)
        guard.breaker.first_content(self.ticket, now)
        if self.leases:
            self._settle(now, well=True)

    def _settle(self, now: float, *, well: bool | None) -> None:
        for bench, lease in self.leases:
            bench.done(lease, now, well=well)
        self.leases = []

    def finish(
        self, outcome: Outcome, now: float, *, weight: int = 1, wait_seconds: float | None = None
    ) -> None:
        """Give back everything the permit holds; see :meth:`Breaker.done`."""
        guard = self.guard
        guard.breaker.done(self.ticket, outcome, now, weight=weight, wait_seconds=wait_seconds)
        if self.leases:
            self._settle(now, well=True if outcome is Outcome.SUCCESS else None)
        guard.bulkhead.leave(self.place)


class TargetGuard:
    """Everything that decides whether one target may be called."""

    __slots__ = ("_limited_at", "benches", "breaker", "bulkhead", "host", "share", "target")

    def __init__(
        self,
        target: Target,
        *,
        breaker: Breaker,
        benches: list[Bench],
        bulkhead: Bulkhead,
        host: HostRow,
        share: FairShare,
    ) -> None:
        self.target = target
        self.share = share
        self.breaker = breaker
        self.benches = benches
        self.bulkhead = bulkhead
        self.host = host
        self._limited_at = float("-inf")

    def admit(
        self, now: float, *, lease_seconds: float, caller: Caller | None = None
    ) -> Permit | Refusal:
        """A permit, or why not and until when. Nothing is held after a refusal."""
        place = self.bulkhead.enter()
        if place is None:
            # Also a full target is first of all what else it is: open, benched, parked.
            return self.peek(now, caller) or Refusal("full", float("inf"), None)
        leases: list[tuple[Bench, Lease]] = []
        refusal: Refusal | None = None
        for bench in self.benches:
            if bench.active:
                refusal = self._pass_holds(now, lease_seconds, leases, caller)
                break
        if refusal is None:
            early = caller is not None and self._early(caller)
            ticket = self.breaker.allow(now, lease_seconds=lease_seconds, early=early)
            if isinstance(ticket, Ticket):
                return Permit(self, ticket, place, leases, caller, began=now)
            refusal = self._refusal(ticket)
        for bench, lease in leases:
            bench.done(lease, now, well=None)
        self.bulkhead.leave(place)
        return refusal

    def peek(self, now: float, caller: Caller | None = None) -> Refusal | None:
        """Why ``admit`` would refuse right now, taking nothing.

        What will not pass soon comes first: no wait for a bench whose breaker is open.
        """
        found: Refusal | None = None
        for bench in self.benches:
            if bench.active and (refusal := bench.peek(now)):
                if not refusal.passes_soon:
                    return refusal
                found = refusal
        if rejection := self.breaker.peek(now, early=caller is not None and self._early(caller)):
            return self._refusal(rejection)
        if found is None and self.bulkhead.full:
            return Refusal("full", float("inf"), None)
        return found

    def limited_again(self, began: float, now: float) -> bool:
        """Whether a call from ``began`` to ``now`` is the second to meet a limit within 60 s."""
        first = self._limited_at
        if now - first > _AGAIN_SECONDS:
            self._limited_at = now
            return False
        again = began - first >= _BURST_SECONDS
        if again:
            self._limited_at = now
        return again

    def forked(self) -> None:
        """Go on in a forked process: a lock may be held by a thread that is not there."""
        self.breaker.forked()
        self.share.forked()
        self.bulkhead.forked()
        self.host.forked()
        for bench in self.benches:
            bench.forked()

    def needs_grants(self, now: float, caller: Caller | None) -> list[SharedBreaker | SharedBench]:
        """What the next call would be a probe of, and a coordinator has to grant first."""
        if self.breaker.state is CircuitState.CLOSED and not any(h.active for h in self.benches):
            return []
        parts: list[SharedBreaker | SharedBench] = [
            bench
            for bench in self.benches
            if isinstance(bench, SharedBench) and bench.needs_grant(now)
        ]
        breaker = self.breaker
        if isinstance(breaker, SharedBreaker) and breaker.needs_grant(
            now, early=caller is not None and self._early(caller)
        ):
            parts.append(breaker)
        return parts

    def give_back_grants(self) -> None:
        """Leases that were granted are for others: the call is not made."""
        for part in self._led_parts():
            part.give_back()

    def _led_parts(self) -> list[SharedBreaker | SharedBench]:
        parts = (self.breaker, *self.benches)
        return [part for part in parts if isinstance(part, SharedBreaker | SharedBench)]

    def _early(self, caller: Caller) -> bool:
        """Whether this caller may probe at once what another has opened alone."""
        breaker = self.breaker
        if breaker.state is CircuitState.CLOSED:
            return False
        return self.share.lets_in(caller, one_caller=breaker.one_caller)

    def _pass_holds(
        self,
        now: float,
        lease_seconds: float,
        leases: list[tuple[Bench, Lease]],
        caller: Caller | None,
    ) -> Refusal | None:
        # What is certain comes before the dice of a slow start: no wait for those in vain.
        certain = self.peek(now, caller)
        if certain is not None and certain.why != "full":
            return certain
        for bench in self.benches:
            answer = bench.admit(now, lease_seconds=lease_seconds)
            if isinstance(answer, Refusal):
                return answer
            if answer is not None:
                leases.append((bench, answer))
        return None

    def _refusal(self, rejection: Rejection) -> Refusal:
        why = rejection.why
        verdict = None if why == "isolated" else self.breaker.last_failure
        return Refusal(why, rejection.until, verdict)


class Coordinators(Protocol):
    """Where the truth of all guards is kept, for many processes."""

    def breaker(self, target: Target) -> BreakerCoordinator:
        """The coordinator of that target's breaker."""
        ...

    def bench(self, scope: str) -> BenchCoordinator:
        """The coordinator of that scope's bench."""
        ...

    def lead(self, guard: TargetGuard) -> None:
        """A guard was made with these coordinators."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A scope was benched or parked for ``seconds``."""

    scope: str
    kind: BreakerEffect
    seconds: float
    reason: str


class Guards:
    """The guards of all targets. Pure: time and randomness are passed in; safe under threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        rng: Random,
        on_change: Callable[[Target, Transition], None] | None = None,
        on_held: Callable[[Held], None] | None = None,
        coordinators: Coordinators | None = None,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._on_change = on_change
        self._on_held = on_held
        self._coordinators = coordinators
        self._guards: dict[str, TargetGuard] = {}
        self._circuits: dict[str, tuple[Breaker, Bulkhead, FairShare]] = {}
        self._benches: dict[str, Bench] = {}
        self._hosts: dict[str, HostRow] = {}
        self._callers: dict[str, list[Target]] = {}

    def __iter__(self) -> Iterator[TargetGuard]:
        return iter(list(self._guards.values()))

    def of(self, target: Target) -> TargetGuard:
        """The guard of a target, made at its first use."""
        return self._guards.get(target.key) or self._add(target)

    def _add(self, target: Target) -> TargetGuard:
        known = target.circuit in self._circuits
        guard = self._guards.setdefault(target.key, self._make(target))
        if self._coordinators is not None and (target.shared or not known):
            self._coordinators.lead(guard)
        if not target.shared:
            self._remember_caller(target)
        return guard

    def _remember_caller(self, target: Target) -> None:
        """Forget the oldest of too many accounts: its next call finds out again how it is."""
        self._callers.setdefault(target.account, []).append(target)
        if len(self._callers) > _MOST_CALLERS:
            with suppress(StopIteration, KeyError, RuntimeError):  # another thread does the same
                for gone in self._callers.pop(next(iter(self._callers))):
                    self._guards.pop(gone.key, None)
                    for scope in (BenchScope.TARGET, BenchScope.FAMILY, BenchScope.ACCOUNT):
                        self._benches.pop(_scope_key(gone, scope), None)

    def forked(self) -> None:
        """Go on in a forked process."""
        for guard in self:
            guard.forked()

    def peek(self, target: Target, now: float, caller: Caller | None = None) -> Refusal | None:
        """Why ``target`` could not be called right now, taking nothing."""
        return self.of(target).peek(now, caller)

    def finish(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back after a failure and carry the verdict to all it concerns."""
        timeout = verdict.category is ErrorCategory.TIMEOUT
        weight = self._settings.breaker.timeout_weight if timeout else 1
        counts = verdict.breaker is BreakerEffect.COUNTS and _counts(permit, now, weight)
        if counts:
            permit.guard.breaker.last_failure = verdict
        outcome = Outcome.FAILURE if counts else Outcome.NEUTRAL
        permit.finish(outcome, now, weight=weight, wait_seconds=verdict.wait_seconds)
        if counts and verdict.bench_scope is BenchScope.HOST:
            self._count_on_host(permit.guard, verdict, now)
        elif verdict.http_status is not None:
            permit.guard.host.alive()
        self._hold(permit, verdict, now)

    def bench(self, target: Target, seconds: float, verdict: Verdict, now: float) -> None:
        """Bench the verdict's scope of ``target`` for ``seconds``."""
        bench = self._scope(target, verdict.bench_scope)
        granted = bench.bench(now, seconds, verdict)
        self._tell_held(bench, BreakerEffect.BENCH, granted, verdict)

    def _hold(self, permit: Permit, verdict: Verdict, now: float) -> None:
        target = permit.guard.target
        if verdict.breaker in (BreakerEffect.PARK, BreakerEffect.PARK_KEY):
            bench = self._scope(target, verdict.bench_scope)
            granted = bench.park(now, verdict)
            self._tell_held(bench, verdict.breaker, granted, verdict)
        elif verdict.breaker is BreakerEffect.BENCH:
            wait = verdict.wait_seconds
            if wait is None and permit.guard.limited_again(permit.began, now):
                wait = self._settings.retry.rate_limit_default_seconds
            if wait:
                self.bench(target, wait, verdict, now)

    def _tell_held(
        self, bench: Bench, kind: BreakerEffect, seconds: float | None, verdict: Verdict
    ) -> None:
        if seconds is not None and self._on_held is not None:
            self._on_held(Held(bench.scope, kind, seconds, verdict.reason))

    def _count_on_host(self, guard: TargetGuard, verdict: Verdict, now: float) -> None:
        # The target's own breaker weighs the calls that are still undecided; the row of the host
        # shows that it was opened by its connections and by nothing else.
        if guard.host.failed(now) and guard.breaker.state is CircuitState.OPEN:
            self.host_down(guard, verdict, now)

    def reset(self) -> None:
        """Close every breaker and end every bench and park, by hand."""
        for breaker in {guard.breaker for guard in self}:
            breaker.restore()
        for bench in {bench for guard in self for bench in guard.benches}:
            bench.release()

    def host_down(self, guard: TargetGuard, verdict: Verdict, now: float) -> None:
        """Open the breakers of all targets on that guard's host."""
        for breaker in {other.breaker for other in self if other.host is guard.host}:
            breaker.last_failure = verdict
            breaker.trip(now, "host down", guard.host.failures)

    def _make(self, target: Target) -> TargetGuard:
        found = self._circuits.get(target.circuit)
        breaker, bulkhead, share = found or self._circuits.setdefault(
            target.circuit, self._make_circuit(target)
        )
        benches = list(dict.fromkeys(self._scope(target, scope) for scope in BenchScope))
        host = self._hosts.setdefault(target.host or target.id, HostRow(self._settings.breaker))
        return TargetGuard(
            target, breaker=breaker, benches=benches, bulkhead=bulkhead, host=host, share=share
        )

    def _make_circuit(self, target: Target) -> tuple[Breaker, Bulkhead, FairShare]:
        share = FairShare(self._settings.breaker)
        bulkhead = Bulkhead(self._settings.bulkhead.target_limit)
        return self._make_breaker(target, share), bulkhead, share

    def _make_breaker(self, target: Target, share: FairShare) -> Breaker:
        def changed(change: Transition) -> None:
            share.moved(change.after)
            if self._on_change is not None:
                self._on_change(target, change)

        rules, coordinators = self._settings.breaker, self._coordinators
        if coordinators is None:
            return Breaker(rules, rng=self._rng, on_change=changed)
        coordinator = coordinators.breaker(target)
        return SharedBreaker(rules, rng=self._rng, on_change=changed, coordinator=coordinator)

    def _scope(self, target: Target, scope: BenchScope) -> Bench:
        key = _scope_key(target, scope)
        bench = self._benches.get(key)
        if bench is None:
            bench = self._benches.setdefault(key, self._make_hold(key, shared=target.shared))
        return bench

    def _make_hold(self, scope: str, *, shared: bool) -> Bench:
        ramp, retry, coordinators = (
            self._settings.breaker.ramp_seconds,
            self._settings.retry,
            self._coordinators,
        )
        if coordinators is None or not shared:
            return Bench(scope, retry, ramp_seconds=ramp, rng=self._rng)
        coordinator = coordinators.bench(scope)
        return SharedBench(scope, retry, ramp_seconds=ramp, rng=self._rng, coordinator=coordinator)


def _counts(permit: Permit, now: float, weight: int) -> bool:
    """Whether a failure counts: those of one caller alone open nothing for the others."""
    guard, probe = permit.guard, permit.ticket.expires_at is not None
    processes = guard.breaker.processes
    return guard.share.counts(permit.caller, now, weight=weight, probe=probe, processes=processes)


def _scope_key(target: Target, scope: BenchScope) -> str:
    account = target.account or target.provider
    if scope is BenchScope.FAMILY and target.family:
        return f"family {account}/{target.family}"
    if scope is BenchScope.ACCOUNT:
        return f"account {account}"
    if scope is BenchScope.HOST and target.host:
        return f"host {target.host}"
    # What a key may not call, another may.
    _, mark, key = account.partition("#")
    return f"target {target.circuit}{mark}{key}"
