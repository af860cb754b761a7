"""The state of the service, from real traffic alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from failsoft.config.settings import TimerSettings
from failsoft.engine.deadline import monotonic
from failsoft.engine.runtime import RouteChain, Runtime
from failsoft.policy.breaker import CircuitState
from failsoft.policy.target import Target
from failsoft.policy.target_guard import TargetGuard
from failsoft.policy.timers import own_period
from failsoft.telemetry.labels import State

__all__ = ["health", "state"]

_Told = Mapping[str, Any]


def health(runtime: Runtime) -> dict[str, Any]:
    """The body of ``GET /api/health/ai``; seconds, counts and category names."""
    now = monotonic()
    targets = {target: _target(runtime, target, now) for target in runtime.chain}
    status = _status(runtime, targets, now)
    simulated = runtime.settings.simulate_error
    return {
        "status": status,
        "level": "minimal" if status == "down" else "full",
        "circuit_breaker": _default_route(runtime.chain_of("chat"), targets),
        "routes": [_route(chain) for chain in runtime.chains.values()],
        "targets": list(targets.values()),
        "stores": [asdict(store) for store in runtime.stores],
        "errors": runtime.tally.errors(),
        "rates": runtime.tally.rates(now),
        "service": "ai-chat",
        "version": version("failsoft"),
        **({"simulated": simulated} if simulated else {}),
    }


def state(runtime: Runtime) -> State:
    """The same for metrics."""
    now = monotonic()
    used = runtime.routes_used
    return State(
        targets={t.id: runtime.guards.of(t).breaker.status(now).state for t in runtime.chain},
        routes={chain.route: chain.circuit_state() for chain in runtime.chains.values()},
        inflight={route.name: route.bulkhead.held for route in used},
        queued=sum(route.bulkhead.waiting for route in used),
        probe_waiters=sum(route.recovery.waiting for route in used),
        budget_ratio=max((route.retries.ratio(now) for route in used), default=0.0),
        stores={store.name: store.up for store in runtime.stores},
    )


def _status(runtime: Runtime, targets: Mapping[Target, _Told], now: float) -> str:
    """Down when no route has a target left.

    Degraded by a target that is out, by a store that does not work, and where most requests end in
    what only the operator can mend.
    """
    out = {target for target, told in targets.items() if not told["available"]}
    if all(out.issuperset(chain.targets) for chain in runtime.chains.values()):
        return "down"
    impaired = (
        out or runtime.tally.misconfigured(now) or not all(store.up for store in runtime.stores)
    )
    return "degraded" if impaired else "ok"


def _default_route(chain: RouteChain, targets: Mapping[Target, _Told]) -> dict[str, Any]:
    told = [targets[target] for target in chain.targets]
    waits = [t["recovery_in_seconds"] for t in told if t["recovery_in_seconds"] is not None]
    down = not any(target["available"] for target in told)
    return {
        "state": chain.circuit_state(),
        "failure_count": told[0]["failure_count"],
        "recovery_in_seconds": min(waits) if down and waits else None,
    }


def _route(chain: RouteChain) -> dict[str, Any]:
    return {
        "route": chain.route,
        "state": chain.circuit_state(),
        "targets": [target.id for target in chain.targets],
    }


def _target(runtime: Runtime, target: Target, now: float) -> dict[str, Any]:
    guard = runtime.guards.of(target)
    status = guard.breaker.status(now)
    refusal = guard.peek(now, runtime.onlooker())
    until = None if refusal is None or refusal.until == float("inf") else refusal.until - now
    return {
        "target": target.id,
        "state": status.state,
        "available": refusal is None and status.state is CircuitState.CLOSED,
        "held": None if refusal is None or refusal.why in tuple(CircuitState) else refusal.why,
        "failure_count": status.failures,
        "calls": status.calls,
        "recovery_in_seconds": None if until is None else round(max(0.0, until), 1),
        "in_flight": guard.bulkhead.held,
        "first_content": _first_content(runtime, guard, now),
    }


def _first_content(runtime: Runtime, guard: TargetGuard, now: float) -> dict[str, Any]:
    """How long its first content is waited for, without what a prompt adds, and why."""
    return {
        name: _period(runtime.settings.timers, guard, now, thought_tokens)
        for name, thought_tokens in (("plain", None), ("thinking", 0))
    }


def _period(
    timers: TimerSettings, guard: TargetGuard, now: float, thought_tokens: int | None
) -> dict[str, Any]:
    first = guard.contents.of(thinks=thought_tokens is not None)
    learned, known = first.learned(now), first.periods(now)
    period, source = own_period(timers, known, thought_tokens=thought_tokens)
    why = learned.why if source == "fixed" and learned.why != "learned" else source
    return {
        "period_seconds": round(period, 3),
        "why": why,
        "samples": int(learned.samples),
        "median_seconds": None if learned.median is None else round(learned.median, 3),
        "fixed_for_seconds": round(learned.fixed_seconds, 1) or None,
    }
