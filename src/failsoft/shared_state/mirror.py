"""Applies the store's state to the breakers and holds of this process, on the store's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from failsoft.classify import REASONS, verdict_for
from failsoft.classify.verdict import BenchScope
from failsoft.policy.admission import Guards
from failsoft.policy.breaker import CircuitState
from failsoft.policy.coordination import BenchSeen, BreakerSeen, Granted
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target_guard import TargetGuard
from failsoft.policy.tripping import Counts
from failsoft.shared_state.outbox import breaker_key, hold_key, milliseconds
from failsoft.shared_state.store import Operation, Told

__all__ = ["Mirror", "StoreClock"]


# A reply is late by its way here: the smallest difference seen is the truest. One that is off by
# more than this is no way, but a clock that was set.
_SET_SECONDS: Final = 0.5


class StoreClock:
    """Learns the difference of the two clocks from every reply."""

    def __init__(self) -> None:
        self._difference: float | None = None

    def learn(self, told_ms: int, now: float) -> None:
        """A reply that says ``told_ms`` came at ``now`` (monotonic seconds)."""
        found, known = now - told_ms / 1000, self._difference
        if known is None or found < known or found - known > _SET_SECONDS:
            self._difference = found

    def here(self, at_ms: int) -> float:
        """A time of the store in monotonic seconds."""
        return at_ms / 1000 + (self._difference or 0.0)


class Mirror:
    """Every guard that is led, by the keys of the store. Times in are of monotonic seconds."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._clock = StoreClock()
        self._breakers: dict[str, tuple[TargetGuard, SharedBreaker]] = {}
        self._benches: dict[str, SharedBench] = {}

    def add(self, guard: TargetGuard) -> None:
        """Mirror that guard from now on."""
        if isinstance(guard.breaker, SharedBreaker):
            self._breakers[breaker_key(guard.target.circuit)] = guard, guard.breaker
        for bench in guard.benches:
            if isinstance(bench, SharedBench):
                self._benches[hold_key(bench.scope)] = bench

    def key_of(self, breaker: SharedBreaker) -> str:
        """The key of a breaker that is mirrored."""
        return next(key for key, (_, known) in self._breakers.items() if known is breaker)

    def syncs(self, now: float) -> Iterator[Operation]:
        """Ask for everything, telling what we have where the store has less."""
        for key, (guard, breaker) in list(self._breakers.items()):
            yield _sync_breaker(key, guard, breaker.seen(), now)
        for key, bench in list(self._benches.items()):
            yield _sync_hold(key, bench.seen(), now)

    def take(self, told: Told, now: float, *, merged: bool = False, anew: bool = False) -> None:
        """Take over what was sent; see :meth:`.SharedBreaker.adopt`."""
        self._clock.learn(told["now"], now)
        key = told["key"]
        if led := self._breakers.get(key):
            self._take_breaker(*led, told, now, merged=merged, anew=anew)
        elif bench := self._benches.get(key):
            bench.adopt(self._hold_seen(told), now, merged=merged, anew=anew)

    def granted(self, told: Told, expires_at: float) -> Granted | None:
        """The lease that was granted, if one was; it ends no later than ``expires_at``."""
        lease = told.get("granted")
        return None if lease is None else Granted(told["generation"], lease, expires_at)

    def opening(self, told: Told, span: float, now: float) -> tuple[TargetGuard, float, str] | None:
        """The breaker that opens for what was counted, for how many seconds and why.

        Nothing is judged before ``span`` seconds are counted: so long others may keep to
        themselves what went well. One on trial opens for any failure.
        """
        led, counts = self._breakers.get(told["key"]), told.get("counts")
        if led is None or counts is None:
            return None
        if counts["counting_for"] < milliseconds(span) and not counts["on_trial"]:
            return None
        guard, breaker = led
        if told["generation"] != breaker.seen_generation:
            return None
        opening = breaker.opening(_counts(counts), now)
        return None if opening is None else (guard, *opening)

    def _take_breaker(
        self,
        guard: TargetGuard,
        breaker: SharedBreaker,
        told: Told,
        now: float,
        *,
        merged: bool,
        anew: bool,
    ) -> None:
        if told["cause"] in REASONS and told["state"] != CircuitState.CLOSED:
            last = guard.breaker.last_failure
            if last is None or last.reason != told["cause"]:
                guard.breaker.last_failure = verdict_for(told["cause"])
        before = breaker.state
        breaker.adopt(self._breaker_seen(told), now, merged=merged, anew=anew)
        counts = told.get("counts")
        if counts is not None and told["generation"] == breaker.seen_generation:
            breaker.counted(_counts(counts), now, processes=counts.get("processes", 1))
        opened = before is not CircuitState.OPEN and breaker.state is CircuitState.OPEN
        last = guard.breaker.last_failure
        # Only where this process's own connections show that it is the host.
        if opened and last and last.bench_scope is BenchScope.HOST and guard.host.dead(now):
            self._guards.host_down(guard, last, now)

    def _breaker_seen(self, told: Told) -> BreakerSeen:
        here = self._clock.here
        return BreakerSeen(
            generation=told["generation"],
            born=told["born"],
            state=CircuitState(told["state"]),
            open_until=float("inf") if told["isolated"] else here(told["until"]),
            isolated=told["isolated"],
            free_at=here(told["free_at"]) if told["free_at"] else 0.0,
            reason=told["reason"],
            one_caller=told.get("one_caller", False),
            on_trial=told.get("on_trial", False),
        )

    def _hold_seen(self, told: Told) -> BenchSeen:
        here = self._clock.here
        return BenchSeen(
            generation=told["generation"],
            born=told["born"],
            kind=told["kind"],
            until=here(told["until"]) if told["until"] else 0.0,
            probe_due=told["probe_due"],
            parks=told["parks"],
            ramp_from=here(told["ramp_from"]) if told["ramp_from"] else 0.0,
            ramp_seconds=told["ramp"] / 1000,
            free_at=here(told["free_at"]) if told["free_at"] else 0.0,
            cause=told["cause"],
        )


def _counts(told: Told) -> Counts:
    row_seconds = told["row_for"] / 1000
    return Counts(
        told["calls"],
        told["failures"],
        told["in_row"],
        told["row_calls"],
        row_seconds,
        told["older"],
        told["on_trial"],
    )


def _sync_breaker(key: str, guard: TargetGuard, seen: BreakerSeen, now: float) -> Operation:
    last = guard.breaker.last_failure
    arguments: tuple[Any, ...] = (
        seen.generation,
        seen.born,
        int(seen.alone),
        seen.state.value,
        milliseconds(max(0.0, seen.open_until - now)),
        int(seen.isolated),
        "" if last is None else last.reason,
    )
    return Operation("breaker", key, "sync", arguments)


def _sync_hold(key: str, seen: BenchSeen, now: float) -> Operation:
    arguments: tuple[Any, ...] = (
        seen.generation,
        seen.born,
        int(seen.alone),
        seen.kind,
        milliseconds(max(0.0, seen.until - now)),
        int(seen.probe_due),
        seen.parks,
        milliseconds(seen.ramp_seconds),
        seen.cause,
    )
    return Operation("hold", key, "sync", arguments)
