"""The plan of one request: given what happened, it says what to do next.

``next(event, now) -> command``. Pure: no I/O, no clock and no dice of its own, so that the same
plan is carried out by the asyncio driver and in virtual time. It holds no ticket and no task; a
target that may not be called comes to it as :class:`Refused`, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random

from failsoft.classify.verdict import (
    ErrorCategory,
    Sent,
    Verdict,
)
from failsoft.config.settings import RetrySettings, TimerSettings
from failsoft.policy.admission import Guards
from failsoft.policy.bench import Refusal
from failsoft.policy.callers import Caller
from failsoft.policy.candidates import Candidate, back_at, restrict, verdict_to_report
from failsoft.policy.pacing import RetryBudget
from failsoft.policy.plan_events import (
    BreakerClosed,
    BreakerOpened,
    Call,
    Cancelled,
    Command,
    Failed,
    Finished,
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

# A wait until a moment, why, and for which candidate.
_Pause = tuple[float, str, Candidate]

# One for all plans: it says nothing of its own.
_GIVE = Give()


class Plan:
    """Decides one request.

    ``guards`` say why a target could not be called right now, taking nothing; the ``caller`` holds
    what the request has of its route's recovery. ``may_have_effects`` marks a request with tools
    that run at the provider: it is never sent a second time by itself once the first may have
    arrived. ``retries`` bound the calls of one target after its first. Where its first contents
    cannot be seen (``learns=False``) every period is the fixed one, and nothing is learned.
    """

    # Most plans end with their first call: what they begin with is the class's.
    _at: Candidate | None = None
    _first: Candidate | None = None
    _again: Candidate | None = None
    _calls = 0
    _passes = 0
    _waits_until = 0.0
    _given_out = False
    # The turn for its next retry, the seconds it waits for turns in all, and why it has none.
    _turn: float | None = None
    _turn_seconds = 0.0
    _no_turn = ""
    _awaits_probe = False

    def __init__(
        self,
        chain: Sequence[Target],
        times: RequestTimes,
        *,
        retry: RetrySettings,
        timers: TimerSettings,
        budget: RetryBudget,
        guards: Guards,
        caller: Caller,
        rng: Random,
        input_tokens: int = 0,
        thought_tokens: int | None = None,
        may_have_effects: bool = False,
        retries: int | None = None,
        learns: bool = True,
    ) -> None:
        self._candidates = list(map(Candidate, chain, count()))
        self._times = times
        self._retry = retry
        self._timers = timers
        self._budget = budget
        self._guards = guards
        self._caller = caller
        self._rng = rng
        self._input_tokens = input_tokens
        self._thought_tokens = thought_tokens
        self._may_have_effects = may_have_effects
        self._retries = retries
        self._learns = learns
        self._failures: list[tuple[Candidate, Verdict]] = []

    def next(self, event: PlanEvent, now: float) -> Command:
        """What to do after ``event`` at ``now`` (monotonic seconds)."""
        if self._awaits_probe:
            self._caller.stop_waiting()
            self._awaits_probe = False
        return self._decide(event, now)

    def may_hop(self, now: float) -> bool:
        """Whether the request would go on to another target, should its call end without content.

        Nothing is taken: the target may be gone by then.
        """
        if self._given_out or self._may_have_effects or self._calls >= self._retry.max_attempts:
            return False
        return self._is_useful(now) and any(
            not other.calls and other.ready(now) and self._peek(other, now) is None
            for other in self._candidates
        )

    def _decide(self, event: PlanEvent, now: float) -> Command:
        if isinstance(event, Started):
            self._budget.demand.count(now)
            return self._choose(now)
        if isinstance(event, (Finished, FirstContent)):
            self._given_out = self._given_out or isinstance(event, FirstContent)
            self._end()
            return _GIVE
        if isinstance(event, Failed):
            return self._failed(event.verdict, now)
        if isinstance(event, Refused):
            return self._refused(event.refusal, now)
        if isinstance(event, Cancelled):
            self._end()
            return GiveUp("cancelled", None, None)
        return self._go_on(event, now)

    def _end(self) -> None:
        """Give back the turns that it holds: nothing is called any more."""
        self._caller.give_back()
        if self._turn is not None:
            self._budget.give_back(self._turn)
            self._turn = None

    def _failed(self, verdict: Verdict, now: float) -> Command:
        candidate = self._under_way()
        hopped = candidate is not self._first
        self._failures.append((candidate, verdict))
        if self._given_out:
            return self._give_up("interrupted", now)
        if self._may_have_effects and verdict.sent is Sent.MAYBE:
            return self._give_up("effects", now)
        for other in self._candidates:
            # A call may have been long: what was refused before it may be back by now.
            if other.refusal is not None and other.refusal.until <= now:
                other.refusal = None
        candidate.ready_at = self._ready_at(candidate, verdict, now)
        restrict(self._candidates, candidate, verdict, hopped=hopped)
        if verdict.reason == "no_answer":
            # What hangs may be its host: the targets there come after all others.
            silent = candidate.target.host
            self._candidates.sort(key=lambda other: other.target.host == silent)
        if self._retries is not None and candidate.calls > self._retries:
            candidate.unfit = True
        if self._calls >= self._retry.max_attempts:
            return self._give_up("attempts", now)
        if self._once_more(candidate, verdict, now):
            self._again = candidate
            return self._wait_again(candidate, now)
        return self._choose(now)

    def _once_more(self, candidate: Candidate, verdict: Verdict, now: float) -> bool:
        """Whether ``retry_first`` wants the same target again before any other."""
        if self._retry.strategy != "retry_first" or candidate.calls != 1 or candidate.unfit:
            return False
        transient = verdict.category is ErrorCategory.TRANSIENT
        fits = candidate.ready_at <= self._times.useful_until
        return transient and fits and self._take_turn(candidate.ready_at, now)

    def _wait_again(self, candidate: Candidate, now: float) -> Command:
        return self._wait(*self._not_before_turn(candidate.ready_at, "backoff"), candidate, now)

    def _refused(self, refusal: Refusal, now: float) -> Command:
        candidate = self._under_way()
        candidate.refusal = refusal
        candidate.calls -= 1
        self._calls -= 1
        if candidate.calls:  # it was a retry, which keeps its turn
            self._budget.undo(now)
            self._turn = now
        if self._first is candidate and not candidate.calls:
            self._first = None
        return self._choose(now)

    def _go_on(self, event: TimerFired | BreakerOpened | BreakerClosed, now: float) -> Command:
        if isinstance(event, TimerFired):
            self._passes += 1
            # A loop whose timers count milliseconds may be a little early.
            now = max(now, self._waits_until)
        for candidate in self._candidates:
            candidate.refusal = None
        again, self._again = self._again, None
        if again is not None and self._peek(again, now) is None:
            if again.ready(now) and self._has_turn(now):
                return self._start(again, now)
            self._again = again
            return self._wait_again(again, now)
        return self._choose(now)

    def _choose(self, now: float) -> Command:
        """The ready target that was called least, the best of them; else wait, else give up."""
        best: Candidate | None = None
        refused = False
        for candidate in self._candidates:
            if (best is None or candidate.calls < best.calls) and candidate.ready(now):
                # Most requests are refused nothing. Of an outage's, each call that is asked for in
                # vain would look at all other targets.
                if refused and (refusal := self._peek(candidate, now)) is not None:
                    candidate.refusal = refusal
                    continue
                best = candidate
                if not candidate.calls:
                    break
            refused = refused or candidate.refusal is not None
        if best is None or (best.calls and not self._has_turn(now)):
            return self._pause(now)
        return self._start(best, now)

    def _start(self, candidate: Candidate, now: float) -> Command:
        begun = self._calls or self._passes
        latest = self._times.useful_until + _EPSILON if begun else self._times.deadline_at
        if now > latest:
            return self._give_up("deadline", now)
        if candidate.calls:
            self._budget.start(now)
            self._turn = None
        hop = 0
        if self._calls:
            hop = sum(1 for other in self._candidates if other.calls and other is not candidate)
        thought, known = self._thought_tokens, None
        if self._learns:
            known = self._guards.known(candidate.target, now, thinks=thought is not None)
        limits = limits_for(
            self._timers,
            self._times,
            now=now,
            hop=hop,
            last=not self._others_usable(candidate, now),
            input_tokens=self._input_tokens,
            thought_tokens=thought,
            known=known,
        )
        candidate.calls += 1
        self._calls += 1
        self._at = candidate
        self._first = self._first or candidate
        return Call(candidate.target, candidate.position, self._calls, limits)

    def _peek(self, candidate: Candidate, now: float) -> Refusal | None:
        return self._guards.peek(candidate.target, now, self._caller)

    def _others_usable(self, candidate: Candidate, now: float) -> bool:
        if self._calls + 1 >= self._retry.max_attempts:
            return False
        for other in self._candidates:
            fresh = other is not candidate and other.calls <= candidate.calls and not other.unfit
            if not fresh or other.refusal is not None:
                continue
            if self._guards.peek(other.target, now, self._caller) is None:
                return True
        return False

    def _has_turn(self, now: float) -> bool:
        return self._turn is not None and self._turn <= now

    def _take_turn(self, ready_at: float, now: float) -> bool:
        """Whether a retry that may begin at ``ready_at`` has a turn, soon enough to wait for it."""
        if self._turn is not None:
            return True
        if self._budget.crowded:
            self._no_turn = "saturated"
            return False
        self._no_turn = "budget"
        turn = self._budget.take(ready_at, now)
        if turn is None:
            return False
        seconds = self._turn_seconds + max(0.0, turn - max(ready_at, now))
        if not self._is_useful(turn) or seconds > self._retry.budget_wait_seconds:
            self._budget.give_back(turn)
            return False
        self._turn, self._turn_seconds, self._no_turn = turn, seconds, ""
        return True

    def _not_before_turn(self, until: float, why: str) -> tuple[float, str]:
        """A wait for a retry, and why: until it may begin, or its turn where that is later."""
        if self._turn is None or self._turn <= until:
            return until, why
        return self._turn, "turn"

    def _pause(self, now: float) -> Command:
        """Wait for the target that is back first; a retry waits for its turn too."""
        self._no_turn = ""
        waits = [
            (max(until, now), why, candidate)
            for candidate in self._candidates
            if not candidate.unfit
            for until, why in [self._back_at(candidate, now)]
            if until is not None
        ]
        first = min(waits, key=_until, default=None)
        if first is not None and first[2].calls and self._is_useful(first[0]):
            fresh = [wait for wait in waits if not wait[2].calls]
            if self._take_turn(first[0], now):
                fresh.append((*self._not_before_turn(first[0], first[1]), first[2]))
            first = min(fresh, key=_until, default=None)
        if first is not None and first[1] == "slow_start":
            first = self._reserved(first, waits, now)
        if self._passes >= _MAX_PASSES:
            return self._give_up(self._why_nothing(), now)
        if first is None:
            return self._wait_for_probe(now) or self._give_up(self._why_nothing(), now)
        until, why, candidate = first
        if until <= now and candidate.ready(now):
            return self._start(candidate, now)
        return self._wait(until, why, candidate, now)

    def _reserved(self, first: _Pause, waits: list[_Pause], now: float) -> _Pause | None:
        """The wait for a turn in the slow start; without one soon enough, the first other wait."""
        turn = self._caller.reserve(first[2].target.circuit, now)
        if turn is not None:
            return max(turn, first[0]), first[1], first[2]
        others = (wait for wait in waits if wait[1] != "slow_start" and not wait[2].calls)
        return min(others, key=_until, default=None)

    def _wait_for_probe(self, now: float) -> Command | None:
        """No request is turned away from a target that works again: its probe may show it."""
        if not self._is_useful(now):
            return None
        for candidate in self._candidates:
            refusal = candidate.refusal
            if candidate.unfit or refusal is None or refusal.why not in ("open", "half_open"):
                continue
            until = self._caller.await_probe(candidate.target.circuit, now)
            if until is not None:
                self._awaits_probe = True
                return self._wait(min(until, self._times.useful_until), "probe", candidate, now)
        return None

    def _back_at(self, candidate: Candidate, now: float) -> tuple[float | None, str]:
        """When a target that is not ready may be called, ``None`` where waiting is no use."""
        refusal = candidate.refusal or self._peek(candidate, now)
        if refusal is None:
            return candidate.ready_at, "backoff"
        candidate.refusal = refusal
        if not refusal.passes_soon:
            return None, refusal.why
        until = refusal.until
        if refusal.why == "bench":
            until = self._spread(until, now)
        return max(until, candidate.ready_at), refusal.why

    def _spread(self, floor: float, now: float) -> float:
        """A provider's moment, jittered upward."""
        fits = self._times.useful_until - now
        return now + with_upward_jitter(max(0.0, floor - now), self._rng, fits=fits)

    def _wait(self, until: float, why: str, candidate: Candidate, now: float) -> Command:
        until = max(until, now)
        if not self._is_useful(until):
            return self._give_up("deadline" if self._calls else "unavailable", now)
        self._waits_until = until
        return Wait(self._waits_until, why, candidate.target)

    def _is_useful(self, at: float) -> bool:
        return at <= self._times.useful_until + _EPSILON

    def _ready_at(self, candidate: Candidate, verdict: Verdict, now: float) -> float:
        """When the same target may be called again: the provider's own wait, else a backoff."""
        fits = self._times.useful_until - now
        return now + seconds_to_wait(
            verdict, candidate.calls, settings=self._retry, rng=self._rng, fits=fits
        )

    def _why_nothing(self) -> str:
        if self._no_turn:
            return self._no_turn
        fit = (candidate for candidate in self._candidates if not candidate.unfit)
        refusals = [candidate.refusal for candidate in fit if candidate.refusal is not None]
        if not refusals:
            return "not_retryable"
        return "saturated" if all(r.why == "full" for r in refusals) else "unavailable"

    def _give_up(self, reason: str, now: float) -> GiveUp:
        self._end()
        refusals = [
            candidate.refusal or self._peek(candidate, now) for candidate in self._candidates
        ]
        return GiveUp(reason, self._verdict(refusals), back_at(refusals))

    def _verdict(self, refusals: list[Refusal | None]) -> Verdict | None:
        if not self._failures:
            known = (refusal.verdict for refusal in refusals if refusal is not None)
            return next((verdict for verdict in known if verdict is not None), None)
        return verdict_to_report(self._failures, shown=self._given_out)

    def _under_way(self) -> Candidate:
        if self._at is None:
            raise RuntimeError("the plan was told how a call ended before it asked for one")
        return self._at


def _until(wait: _Pause) -> float:
    return wait[0]
