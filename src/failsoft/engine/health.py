"""The state of the service, from real traffic alone."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from failsoft.engine.clock import monotonic
from failsoft.engine.core import Core
from failsoft.policy.circuit import CircuitState
from failsoft.policy.target import Target

__all__ = ["health"]


def health(core: Core) -> dict[str, Any]:
    """The body of ``GET /api/health/ai``; seconds, counts and category names."""
    now = monotonic()
    targets = [_target(core, target, now) for target in core.chain]
    out = [target for target in targets if not target["available"]]
    state = core.circuit_state()
    status = "ok" if not out else "down" if len(out) == len(targets) else "degraded"
    waits = [t["recovery_in_seconds"] for t in out if t["recovery_in_seconds"] is not None]
    return {
        "status": status,
        "level": "minimal" if status == "down" else "full",
        "circuit_breaker": {
            "state": state,
            "failure_count": targets[0]["failure_count"],
            "recovery_in_seconds": min(waits) if status == "down" and waits else None,
        },
        "targets": targets,
        "stores": [],
        "errors": core.tally.errors(),
        "rates": core.tally.rates(now),
        "service": "ai-chat",
        "version": version("failsoft"),
    }


def _target(core: Core, target: Target, now: float) -> dict[str, Any]:
    gate = core.gates.of(target)
    status = gate.breaker.status(now)
    refusal = gate.peek(now)
    until = None if refusal is None or refusal.until == float("inf") else refusal.until - now
    return {
        "target": target.id,
        "state": status.state,
        "available": refusal is None,
        "held": None if refusal is None or refusal.why in tuple(CircuitState) else refusal.why,
        "failure_count": status.failures,
        "calls": status.calls,
        "recovery_in_seconds": None if until is None else round(max(0.0, until), 1),
        "in_flight": gate.bulkhead.held,
    }
