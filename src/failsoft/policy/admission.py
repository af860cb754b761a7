"""The guards of all targets, and what a verdict does to everything it concerns.

That is the other models on a dead host, the family that shares a rate limit, the account that
shares a bill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from failsoft.classify.verdict import BenchScope, BreakerEffect, ErrorCategory, Verdict
from failsoft.config.settings import Settings
from failsoft.policy.bench import Bench, Refusal
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Transition
from failsoft.policy.callers import Caller, FairShare
from failsoft.policy.coordination import BenchCoordinator, BreakerCoordinator
from failsoft.policy.first_content import FirstContents, GaveWay
from failsoft.policy.pacing import Bulkhead
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target import Target
from failsoft.policy.target_guard import HostRow, Permit, TargetGuard
from failsoft.policy.timers import KnownPeriods

__all__ = ["Coordinators", "Guards", "Held"]

# Accounts of callers that a process keeps apart, 2 KB each: with users' own keys there may be
# any number.
_MOST_CALLERS = 1000


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


_Circuit = tuple[Breaker, Bulkhead, FairShare, FirstContents]


class Guards:
    """The guards of all targets. Pure: time and randomness are passed in; safe under threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        rng: Random,
        on_change: Callable[[Target, Transition], None] | None = None,
        on_held: Callable[[Held], None] | None = None,
        on_gave_way: Callable[[Target, GaveWay], None] | None = None,
        coordinators: Coordinators | None = None,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._on_change = on_change
        self._on_held = on_held
        self._on_gave_way = on_gave_way
        self._coordinators = coordinators
        self._guards: dict[str, TargetGuard] = {}
        self._circuits: dict[str, _Circuit] = {}
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

    def known(self, target: Target, now: float, *, thinks: bool) -> KnownPeriods:
        """The periods known of ``target``, with thought or without.

        Of a target that taught nothing yet, on a host that seems to hang, that by which another one
        there was found silent.
        """
        guard = self.of(target)
        contents = guard.contents
        known = (contents.thinking if thinks else contents.plain).periods(now)
        silent = guard.host.silent_seconds
        if silent is not None and known.learned is None:
            return known._replace(learned=silent)
        return known

    def finish(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back after a failure and carry the verdict to all it concerns."""
        timeout = verdict.category is ErrorCategory.TIMEOUT
        # Before the breaker counts it: what opens a breaker is not held against a period.
        permit.end_silence(timed_out=timeout and verdict.breaker is BreakerEffect.COUNTS, now=now)
        weight = self._settings.breaker.timeout_weight if timeout else 1
        counts = verdict.breaker is BreakerEffect.COUNTS and _counts(permit, now, weight)
        # A call from before an opening may end long after it, and says nothing of the probes.
        if counts and permit.guard.breaker.awaits(permit.ticket):
            permit.guard.breaker.last_failure = verdict
            permit.guard.breaker.failed_seconds = now - permit.began
        outcome = Outcome.FAILURE if counts else Outcome.NEUTRAL
        was_closed = permit.guard.breaker.state is CircuitState.CLOSED
        permit.finish(outcome, now, weight=weight, wait_seconds=verdict.wait_seconds)
        if timeout and was_closed and permit.guard.breaker.state is CircuitState.OPEN:
            self._doubt_host(permit, verdict, now)
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
            breaker.failed_seconds = guard.breaker.failed_seconds
            breaker.trip(now, "host down", guard.host.failures)

    def _doubt_host(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """A target opened by timeouts: its host may hang, and others there are not waited for.

        Those are opened that have not answered since the call began which opened the first, where
        another host can serve meanwhile. They are probed as soon as demand pays for it.
        """
        guard = permit.guard
        others = [other for other in self if other.host is not guard.host]
        if all(other.breaker.state is not CircuitState.CLOSED for other in others):
            return
        guard.host.silent_seconds = now - permit.began
        for other in self:
            if other.host is guard.host and other.contents.answered_at < permit.began:
                breaker = other.breaker
                if breaker is not guard.breaker and breaker.state is CircuitState.CLOSED:
                    breaker.last_failure, breaker.failed_seconds = verdict, 0.0
                    breaker.trip(now, "host silent")

    def _make(self, target: Target) -> TargetGuard:
        found = self._circuits.get(target.circuit)
        breaker, bulkhead, share, contents = found or self._circuits.setdefault(
            target.circuit, self._make_circuit(target)
        )
        benches = list(dict.fromkeys(self._scope(target, scope) for scope in BenchScope))
        host = self._hosts.setdefault(target.host or target.id, HostRow(self._settings.breaker))
        return TargetGuard(
            target,
            breaker=breaker,
            benches=benches,
            bulkhead=bulkhead,
            host=host,
            share=share,
            contents=contents,
        )

    def _make_circuit(self, target: Target) -> _Circuit:
        share = FairShare(self._settings.breaker)
        bulkhead = Bulkhead(self._settings.bulkhead.target_limit)
        named = target.first_content_seconds
        contents = FirstContents(named, partial(self._gave_way, target))
        return self._make_breaker(target, share, contents), bulkhead, share, contents

    def _gave_way(self, target: Target, gave_way: GaveWay) -> None:
        if self._on_gave_way is not None:
            self._on_gave_way(target, gave_way)

    def _make_breaker(self, target: Target, share: FairShare, contents: FirstContents) -> Breaker:
        rules, coordinators = self._settings.breaker, self._coordinators

        def changed(change: Transition) -> None:
            share.moved(change.after)
            if change.after is CircuitState.OPEN:
                last = breaker.last_failure
                timeout = last is not None and last.category is ErrorCategory.TIMEOUT
                ends = timeout and change.reason != "isolated" and not rules.metrics_only
                contents.opened(by_timeouts=ends)
            if self._on_change is not None:
                self._on_change(target, change)

        breaker: Breaker
        if coordinators is None:
            breaker = Breaker(rules, on_change=changed)
        else:
            coordinator = coordinators.breaker(target)
            breaker = SharedBreaker(rules, on_change=changed, coordinator=coordinator)
        return breaker

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
    breaker = guard.breaker
    return guard.share.counts(
        permit.caller,
        now,
        weight=weight,
        probe=probe,
        trial=breaker.on_trial,
        processes=breaker.processes,
    )


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
