"""The gates of all targets.

A verdict is carried to everything it concerns: the other models on a dead host, the family that
shares a rate limit, the account that shares a bill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from failsoft.classify.verdict import BenchScope, BreakerEffect, ErrorCategory, Verdict
from failsoft.config.settings import Settings
from failsoft.policy.breaker import Breaker
from failsoft.policy.bulkhead import Bulkhead
from failsoft.policy.circuit import CircuitState, Outcome, Transition
from failsoft.policy.gate import Gate, Permit
from failsoft.policy.hold import Hold, Refusal
from failsoft.policy.host import HostRow
from failsoft.policy.led import BreakerLeader, HoldLeader
from failsoft.policy.led_breaker import LedBreaker
from failsoft.policy.led_hold import LedHold
from failsoft.policy.target import Target

__all__ = ["Gates", "Held", "Leaders"]


class Leaders(Protocol):
    """Where the truth of all gates is kept, for many processes."""

    def breaker(self, target: Target) -> BreakerLeader:
        """The leader of that target's breaker."""
        ...

    def hold(self, scope: str) -> HoldLeader:
        """The leader of that scope's hold."""
        ...

    def lead(self, gate: Gate) -> None:
        """A gate was made with these leaders."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A scope was benched or parked for ``seconds``."""

    scope: str
    kind: BreakerEffect
    seconds: float
    reason: str


class Gates:
    """The gates of all targets. Pure: time and randomness are passed in; safe under threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        rng: Random,
        on_change: Callable[[Target, Transition], None] | None = None,
        on_held: Callable[[Held], None] | None = None,
        leaders: Leaders | None = None,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._on_change = on_change
        self._on_held = on_held
        self._leaders = leaders
        self._gates: dict[Target, Gate] = {}
        self._holds: dict[str, Hold] = {}
        self._hosts: dict[str, HostRow] = {}

    def __iter__(self) -> Iterator[Gate]:
        return iter(list(self._gates.values()))

    def of(self, target: Target) -> Gate:
        """The gate of a target, made at its first use."""
        gate = self._gates.get(target)
        if gate is None:
            gate = self._gates.setdefault(target, self._make(target))
            if self._leaders is not None:
                self._leaders.lead(gate)
        return gate

    def forked(self) -> None:
        """Go on in a forked process."""
        for gate in self:
            gate.forked()

    def peek(self, target: Target, now: float) -> Refusal | None:
        """Why ``target`` could not be called right now, taking nothing."""
        gate = self._gates.get(target) or self.of(target)
        return gate.peek(now)

    def finish(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back after a failure and carry the verdict to all it concerns."""
        counts = verdict.breaker is BreakerEffect.COUNTS
        weight = 1
        if counts:
            permit.gate.last_failure = verdict
            if verdict.category is ErrorCategory.TIMEOUT:
                weight = self._settings.breaker.timeout_weight
        outcome = Outcome.FAILURE if counts else Outcome.NEUTRAL
        permit.finish(outcome, now, weight=weight, wait_seconds=verdict.wait_seconds)
        if counts and verdict.bench_scope is BenchScope.HOST:
            self._count_on_host(permit.gate, verdict, now)
        elif verdict.http_status is not None:
            permit.gate.host.alive()
        self._hold(permit.gate.target, verdict, now)

    def bench(self, target: Target, seconds: float, verdict: Verdict, now: float) -> None:
        """Bench the verdict's scope of ``target`` for ``seconds``."""
        hold = self._scope(target, verdict.bench_scope)
        granted = hold.bench(now, seconds, verdict)
        self._tell_held(hold, BreakerEffect.BENCH, granted, verdict)

    def _hold(self, target: Target, verdict: Verdict, now: float) -> None:
        if verdict.breaker in (BreakerEffect.PARK, BreakerEffect.PARK_KEY):
            hold = self._scope(target, verdict.bench_scope)
            granted = hold.park(now, verdict)
            self._tell_held(hold, verdict.breaker, granted, verdict)
        elif verdict.breaker is BreakerEffect.BENCH:
            default = self._settings.retry.rate_limit_default_seconds
            wait = default if verdict.wait_seconds is None else verdict.wait_seconds
            self.bench(target, wait, verdict, now)

    def _tell_held(
        self, hold: Hold, kind: BreakerEffect, seconds: float | None, verdict: Verdict
    ) -> None:
        if seconds is not None and self._on_held is not None:
            self._on_held(Held(hold.scope, kind, seconds, verdict.reason))

    def _count_on_host(self, gate: Gate, verdict: Verdict, now: float) -> None:
        # The target's own breaker weighs the calls that are still undecided; the row of the host
        # tells that it was opened by its connections and by nothing else.
        if gate.host.failed(now) and gate.breaker.state is CircuitState.OPEN:
            self.host_down(gate, verdict, now)

    def reset(self) -> None:
        """Close every breaker and end every bench and park, by hand."""
        for gate in self:
            gate.breaker.restore()
            for hold in gate.holds:
                hold.release()

    def host_down(self, gate: Gate, verdict: Verdict, now: float) -> None:
        """Open the breakers of all targets on that gate's host."""
        for other in self:
            if other.host is gate.host:
                other.last_failure = verdict
                other.breaker.trip(now, "host down")

    def _make(self, target: Target) -> Gate:
        def changed(change: Transition) -> None:
            if self._on_change is not None:
                self._on_change(target, change)

        rules, leaders = self._settings.breaker, self._leaders
        breaker = (
            Breaker(rules, rng=self._rng, on_change=changed)
            if leaders is None
            else LedBreaker(rules, rng=self._rng, on_change=changed, leader=leaders.breaker(target))
        )
        holds = list(dict.fromkeys(self._scope(target, scope) for scope in BenchScope))
        return Gate(
            target,
            breaker=breaker,
            holds=holds,
            bulkhead=Bulkhead(self._settings.bulkhead.target_limit),
            host=self._hosts.setdefault(target.host or target.id, HostRow(self._settings.breaker)),
        )

    def _scope(self, target: Target, scope: BenchScope) -> Hold:
        key = _scope_key(target, scope)
        hold = self._holds.get(key)
        if hold is None:
            hold = self._holds.setdefault(key, self._make_hold(key))
        return hold

    def _make_hold(self, scope: str) -> Hold:
        ramp, retry, leaders = (
            self._settings.breaker.ramp_seconds,
            self._settings.retry,
            self._leaders,
        )
        if leaders is None:
            return Hold(scope, retry, ramp_seconds=ramp, rng=self._rng)
        leader = leaders.hold(scope)
        return LedHold(scope, retry, ramp_seconds=ramp, rng=self._rng, leader=leader)


def _scope_key(target: Target, scope: BenchScope) -> str:
    account = target.account or target.provider
    if scope is BenchScope.FAMILY and target.family:
        return f"family {account}/{target.family}"
    if scope is BenchScope.ACCOUNT:
        return f"account {account}"
    if scope is BenchScope.HOST and target.host:
        return f"host {target.host}"
    return f"target {target.id}"
