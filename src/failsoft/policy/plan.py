"""The plan of one request: given what happened, it says what to do next.

``next(event, now) -> command``. Pure: no I/O, no clock and no dice of its own, so that the same
plan is carried out by the asyncio driver and in virtual time. It holds no ticket and no task; a
target that may not be called comes to it as :class:`Refused`, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from random import Random

from failsoft.classify.verdict import ErrorCategory, Sent, Verdict
from failsoft.config.settings import RetrySettings, TimerSettings
from failsoft.policy.bench import Refusal
from failsoft.policy.budget import RetryBudget
from failsoft.policy.candidates import Leg, back_at, restrict, spokesman
from failsoft.policy.plan_events import (
    BreakerOpened,
    Call,
    Cancelled,
    Command,
    Failed,
    FirstContent,
    Give,
    GiveUp,
    PlanEvent,
    Refused,
    Started,
    TimerFired,
    Wait,
)
from failsoft.policy.retry import seconds_to_wait, with_upward_jitter
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes, limits_for

__all__ = ["Plan"]

# Waits that may end before the request gives up: a bound on a loop, far above what the waits of one
# deadline allow. An opening that cuts a wait short is not counted.
_MAX_PASSES = 200

# A float's worth of slack: a wait up to the last useful moment ends a little after it.
_EPSILON = 1e-6

# One for all plans: it says nothing of its own.
_GIVE = Give()

# Written in place, the union would be built again for every event.
_WAIT_OVER = (TimerFired, BreakerOpened)


class Plan:
    """Decides one request.

    ``peek`` says why a target could not be called right now (or ``None``), without taking
    anything. ``may_have_effects`` marks a request with tools that run at the provider: it is never
    sent a second time by itself once the first may have arrived. ``retries`` bound the calls of one
    target after its first.
    """

    # Most plans end with their first call: what they begin with is the class's.
    _at: Leg | None = None
    _first_leg: Leg | None = None
    _again: Leg | None = None
    _calls = 0
    _passes = 0
    _waits_until = 0.0
    _given_out = False

    def __init__(
        self,
        chain: Sequence[Target],
        times: RequestTimes,
        *,
        retry: RetrySettings,
        timers: TimerSettings,
        budget: RetryBudget,
        peek: Callable[[Target, float], Refusal | None],
        rng: Random,
        input_tokens: int = 0,
        thought_tokens: int | None = None,
        may_have_effects: bool = False,
        retries: int | None = None,
    ) -> None:
        self._legs = list(map(Leg, chain, count()))
        self._times = times
        self._retry = retry
        self._timers = timers
        self._budget = budget
        self._peek = peek
        self._rng = rng
        self._input_tokens = input_tokens
        self._thought_tokens = thought_tokens
        self._may_have_effects = may_have_effects
        self._retries = retries
        self._failures: list[tuple[Leg, Verdict]] = []

    def next(self, event: PlanEvent, now: float) -> Command:
        """What to do after ``event`` at ``now`` (monotonic seconds)."""
        if isinstance(event, Started):
            self._budget.request(now)
            return self._choose(now)
        if isinstance(event, Failed):
            return self._failed(event.verdict, now)
        if isinstance(event, Refused):
            return self._refused(event.refusal, now)
        if isinstance(event, _WAIT_OVER):
            return self._go_on(event, now)
        if isinstance(event, Cancelled):
            return GiveUp("cancelled", None, None)
        # Some content, or the whole answer.
        self._given_out = self._given_out or isinstance(event, FirstContent)
        return _GIVE

    def _failed(self, verdict: Verdict, now: float) -> Command:
        leg = self._under_way()
        hopped = leg is not self._first_leg
        self._failures.append((leg, verdict))
        if self._given_out:
            return self._give_up("interrupted", now)
        if self._may_have_effects and verdict.sent is Sent.MAYBE:
            return self._give_up("effects", now)
        for other in self._legs:
            # A call may have been long: what was refused before it may be back by now.
            if other.refusal is not None and other.refusal.until <= now:
                other.refusal = None
        leg.ready_at = self._ready_at(leg, verdict, now)
        restrict(self._legs, leg, verdict, hopped=hopped)
        if self._retries is not None and leg.calls > self._retries:
            leg.unfit = True
        if self._calls >= self._retry.max_attempts:
            return self._give_up("attempts", now)
        if self._once_more(leg, verdict, now):
            self._again = leg
            return self._wait(leg.ready_at, "backoff", leg, now)
        return self._choose(now)

    def _once_more(self, leg: Leg, verdict: Verdict, now: float) -> bool:
        """Whether ``retry_first`` wants the same target again before any other."""
        if self._retry.strategy != "retry_first" or leg.calls != 1 or leg.unfit:
            return False
        transient = verdict.category is ErrorCategory.TRANSIENT
        fits = leg.ready_at <= self._times.useful_until
        return transient and fits and self._affordable(leg, now)

    def _refused(self, refusal: Refusal, now: float) -> Command:
        leg = self._under_way()
        leg.refusal = refusal
        leg.calls -= 1
        self._calls -= 1
        if leg.calls:
            self._budget.refund(now)
        if self._first_leg is leg and not leg.calls:
            self._first_leg = None
        return self._choose(now)

    def _go_on(self, event: TimerFired | BreakerOpened, now: float) -> Command:
        if isinstance(event, TimerFired):
            self._passes += 1
            # A loop whose timers count milliseconds may be a little early.
            now = max(now, self._waits_until)
        for leg in self._legs:
            leg.refusal = None
        again, self._again = self._again, None
        if again is not None and self._peek(again.target, now) is None:
            if again.ready(now):
                return self._start(again, now)
            self._again = again
            return self._wait(again.ready_at, "backoff", again, now)
        return self._choose(now)

    def _choose(self, now: float) -> Command:
        """The ready target that was called least, the best of them; else wait, else give up."""
        best: Leg | None = None
        for leg in self._legs:
            fewer = best is None or leg.calls < best.calls
            if fewer and leg.ready(now) and self._affordable(leg, now):
                best = leg
                if not leg.calls:
                    break
        return self._pause(now) if best is None else self._start(best, now)

    def _start(self, leg: Leg, now: float) -> Command:
        begun = self._calls or self._passes
        latest = self._times.useful_until + _EPSILON if begun else self._times.deadline_at
        if now > latest:
            return self._give_up("deadline", now)
        if leg.calls:
            self._budget.spend(now)
        hop = 0
        if self._calls:
            hop = sum(1 for other in self._legs if other.calls and other is not leg)
        limits = limits_for(
            self._timers,
            self._times,
            now=now,
            hop=hop,
            last=not self._others_usable(leg, now),
            input_tokens=self._input_tokens,
            thought_tokens=self._thought_tokens,
        )
        leg.calls += 1
        self._calls += 1
        self._at = leg
        self._first_leg = self._first_leg or leg
        return Call(leg.target, leg.position, self._calls, limits)

    def _others_usable(self, leg: Leg, now: float) -> bool:
        if self._calls + 1 >= self._retry.max_attempts:
            return False
        for other in self._legs:
            fresh = other is not leg and other.calls <= leg.calls and not other.unfit
            if fresh and other.refusal is None and self._peek(other.target, now) is None:
                return True
        return False

    def _affordable(self, leg: Leg, now: float) -> bool:
        return not leg.calls or self._budget.available(now)

    def _pause(self, now: float) -> Command:
        waits = [
            (until, why, leg)
            for leg in self._legs
            if not leg.unfit and self._affordable(leg, now)
            for until, why in [self._back_at(leg, now)]
            if until is not None
        ]
        if not waits or self._passes >= _MAX_PASSES:
            return self._give_up(self._why_nothing(now), now)
        until, why, leg = min(waits, key=lambda wait: wait[0])
        return self._wait(until, why, leg, now)

    def _back_at(self, leg: Leg, now: float) -> tuple[float | None, str]:
        """When a target that is not ready may be called, ``None`` where waiting is no use."""
        refusal = leg.refusal or self._peek(leg.target, now)
        if refusal is None:
            return leg.ready_at, "backoff"
        leg.refusal = refusal
        if not refusal.passes_soon:
            return None, refusal.why
        until = refusal.until
        if refusal.why == "bench":
            until = self._spread(until, now)
        return max(until, leg.ready_at), refusal.why

    def _spread(self, floor: float, now: float) -> float:
        """A provider's moment, jittered upward."""
        fits = self._times.useful_until - now
        return now + with_upward_jitter(max(0.0, floor - now), self._rng, fits=fits)

    def _wait(self, until: float, why: str, leg: Leg, now: float) -> Command:
        until = max(until, now)
        if until > self._times.useful_until + _EPSILON:
            return self._give_up("deadline" if self._calls else "unavailable", now)
        self._waits_until = until
        return Wait(self._waits_until, why, leg.target)

    def _ready_at(self, leg: Leg, verdict: Verdict, now: float) -> float:
        """When the same target may be called again: the provider's own wait, else a backoff."""
        fits = self._times.useful_until - now
        return now + seconds_to_wait(
            verdict, leg.calls, settings=self._retry, rng=self._rng, fits=fits
        )

    def _why_nothing(self, now: float) -> str:
        if any(not leg.unfit and not self._affordable(leg, now) for leg in self._legs):
            return "budget"
        refusals = [leg.refusal for leg in self._legs if leg.refusal is not None]
        if not refusals:
            return "not_retryable"
        return "saturated" if all(r.why == "full" for r in refusals) else "unavailable"

    def _give_up(self, reason: str, now: float) -> GiveUp:
        refusals = [leg.refusal or self._peek(leg.target, now) for leg in self._legs]
        return GiveUp(reason, self._verdict(refusals), back_at(refusals))

    def _verdict(self, refusals: list[Refusal | None]) -> Verdict | None:
        if not self._failures:
            known = (refusal.verdict for refusal in refusals if refusal is not None)
            return next((verdict for verdict in known if verdict is not None), None)
        return spokesman(self._failures, shown=self._given_out)

    def _under_way(self) -> Leg:
        if self._at is None:
            raise RuntimeError("the plan was told how a call ended before it asked for one")
        return self._at
