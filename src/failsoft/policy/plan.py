"""The plan of one request: given what happened, it says what to do next.

``next(event, now) -> command``. Pure: no I/O, no clock and no dice of its own, so that the same
plan is carried out by the asyncio driver and in virtual time. It holds no ticket and no task; a
target that may not be called comes to it as :class:`Refused`, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from random import Random

from failsoft.classify.verdict import (
    BenchScope,
    ErrorCategory,
    Fault,
    NextModel,
    OtherProvider,
    Sent,
    Verdict,
)
from failsoft.config.settings import RetrySettings, TimerSettings
from failsoft.policy.bench import Refusal
from failsoft.policy.pacing import RetryBudget
from failsoft.policy.plan_events import (
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
from failsoft.policy.retry import seconds_to_wait, with_upward_jitter, worth_another
from failsoft.policy.target import Target
from failsoft.policy.timers import Known, RequestTimes, limits_for

__all__ = ["Candidate", "Plan", "back_at", "restrict", "verdict_to_report"]


class Candidate:
    """One target within one request."""

    # Most candidates of most requests are never touched: what they begin with is the class's.
    calls = 0
    unfit = False
    ready_at = 0.0
    refusal: Refusal | None = None

    def __init__(self, target: Target, position: int) -> None:
        self.target = target
        self.position = position

    def ready(self, now: float) -> bool:
        """Whether it may be asked for at ``now``."""
        return not self.unfit and self.refusal is None and self.ready_at <= now


def restrict(
    candidates: Sequence[Candidate], failed: Candidate, verdict: Verdict, *, hopped: bool
) -> None:
    """Mark what the verdict rules out for the rest of the request.

    ``hopped`` says that the failed target was not the first: a permanent verdict, or one on our
    own set-up, then speaks of that target alone, since the first choice did take the request.
    """
    if not worth_another(verdict, failed.calls):
        failed.unfit = True
    if hopped and verdict.category in _OF_THE_TARGET and not _wants_larger(verdict):
        return
    for other in candidates:
        if other is not failed and not _allowed(verdict, failed.target, other):
            other.unfit = True


def verdict_to_report(
    failures: Sequence[tuple[Candidate, Verdict]], *, shown: bool = False
) -> Verdict:
    """The verdict to report of those that a request met, in order; ``shown``: something was given.

    The last, which is the newest; the first where the last is of the set-up of a later choice.
    """
    if not shown:
        # The caller's own limit says nothing where something was learnt before it.
        failures = [item for item in failures if not _callers_limit(item[1])] or failures
    at_first, first = failures[0]
    at_last, last = failures[-1]
    return first if at_last is not at_first and last.category in _OF_THE_TARGET else last


def back_at(refusals: Sequence[Refusal | None]) -> float | None:
    """When the first of several targets may be back, given why each may not be called now.

    ``None`` where one may be, or where that is unknown.
    """
    known = [refusal for refusal in refusals if refusal is not None]
    if len(known) < len(refusals):
        return None
    return min((r.until for r in known if r.why not in ("full", "isolated")), default=None)


def _callers_limit(verdict: Verdict) -> bool:
    return verdict.category is ErrorCategory.TIMEOUT and verdict.fault is Fault.USER


_OF_THE_TARGET = (ErrorCategory.PERMANENT, ErrorCategory.AUTH_ERROR)


def _wants_larger(verdict: Verdict) -> bool:
    return verdict.try_next_model is NextModel.LARGER_WINDOW


def _allowed(verdict: Verdict, failed: Target, candidate: Candidate) -> bool:
    other = candidate.target
    dead_host = verdict.bench_scope is BenchScope.HOST and failed.host == other.host
    if dead_host or _same_service(failed, other):
        rule = verdict.try_next_model
        if rule is NextModel.LARGER_WINDOW:
            return _larger(failed, other)
        # OTHER_FAMILY needs nothing here: the family is benched, and its targets refuse.
        return rule not in (NextModel.NO, NextModel.OPT_IN)
    if verdict.try_other_provider is OtherProvider.LARGER_WINDOW:
        return _larger(failed, other)
    return verdict.try_other_provider is not OtherProvider.NO


def _same_service(one: Target, other: Target) -> bool:
    return (one.provider, one.account, one.host) == (other.provider, other.account, other.host)


def _larger(failed: Target, other: Target) -> bool:
    if failed.context_window is None or other.context_window is None:
        return False
    return other.context_window > failed.context_window


# Waits that may end before the request gives up: a bound on a loop, far above what the waits of one
# deadline allow. An opening that cuts a wait short is not counted.
_MAX_PASSES = 200

# A float's worth of slack: a wait up to the last useful moment ends a little after it.
_EPSILON = 1e-6

# One for all plans: it says nothing of its own.
_GIVE = Give()


class Plan:
    """Decides one request.

    ``peek`` says why a target could not be called right now (or ``None``), without taking
    anything. ``may_have_effects`` marks a request with tools that run at the provider: it is never
    sent a second time by itself once the first may have arrived. ``retries`` bound the calls of one
    target after its first. ``known`` says what is known of a target's first contents; without it
    every period is the fixed one, and nothing is learned.
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
        known: Callable[[Target, float], Known] | None = None,
    ) -> None:
        self._candidates = list(map(Candidate, chain, count()))
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
        self._known = known
        self._failures: list[tuple[Candidate, Verdict]] = []

    def next(self, event: PlanEvent, now: float) -> Command:
        """What to do after ``event`` at ``now`` (monotonic seconds)."""
        command = self._decide(event, now)
        if self._turn is not None and isinstance(command, (Give, GiveUp)):
            self._budget.give_back(self._turn)
            self._turn = None
        return command

    def may_hop(self, now: float) -> bool:
        """Whether the request would go on to another target, should its call end without content.

        Nothing is taken: the target may be gone by then.
        """
        if self._given_out or self._may_have_effects or self._calls >= self._retry.max_attempts:
            return False
        return self._is_useful(now) and any(
            not other.calls and other.ready(now) and self._peek(other.target, now) is None
            for other in self._candidates
        )

    def _decide(self, event: PlanEvent, now: float) -> Command:
        if isinstance(event, Started):
            self._budget.request(now)
            return self._choose(now)
        if isinstance(event, (Finished, FirstContent)):
            self._given_out = self._given_out or isinstance(event, FirstContent)
            return _GIVE
        if isinstance(event, Failed):
            return self._failed(event.verdict, now)
        if isinstance(event, Refused):
            return self._refused(event.refusal, now)
        if isinstance(event, Cancelled):
            return GiveUp("cancelled", None, None)
        return self._go_on(event, now)

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

    def _go_on(self, event: TimerFired | BreakerOpened, now: float) -> Command:
        if isinstance(event, TimerFired):
            self._passes += 1
            # A loop whose timers count milliseconds may be a little early.
            now = max(now, self._waits_until)
        for candidate in self._candidates:
            candidate.refusal = None
        again, self._again = self._again, None
        if again is not None and self._peek(again.target, now) is None:
            if again.ready(now) and self._has_turn(now):
                return self._start(again, now)
            self._again = again
            return self._wait_again(again, now)
        return self._choose(now)

    def _choose(self, now: float) -> Command:
        """The ready target that was called least, the best of them; else wait, else give up."""
        best: Candidate | None = None
        for candidate in self._candidates:
            if (best is None or candidate.calls < best.calls) and candidate.ready(now):
                best = candidate
                if not candidate.calls:
                    break
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
        limits = limits_for(
            self._timers,
            self._times,
            now=now,
            hop=hop,
            last=not self._others_usable(candidate, now),
            input_tokens=self._input_tokens,
            thought_tokens=self._thought_tokens,
            known=None if self._known is None else self._known(candidate.target, now),
        )
        candidate.calls += 1
        self._calls += 1
        self._at = candidate
        self._first = self._first or candidate
        return Call(candidate.target, candidate.position, self._calls, limits)

    def _others_usable(self, candidate: Candidate, now: float) -> bool:
        if self._calls + 1 >= self._retry.max_attempts:
            return False
        for other in self._candidates:
            fresh = other is not candidate and other.calls <= candidate.calls and not other.unfit
            if fresh and other.refusal is None and self._peek(other.target, now) is None:
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
        if first is None or self._passes >= _MAX_PASSES:
            return self._give_up(self._why_nothing(), now)
        until, why, candidate = first
        if until <= now and candidate.ready(now):
            return self._start(candidate, now)
        return self._wait(until, why, candidate, now)

    def _back_at(self, candidate: Candidate, now: float) -> tuple[float | None, str]:
        """When a target that is not ready may be called, ``None`` where waiting is no use."""
        refusal = candidate.refusal or self._peek(candidate.target, now)
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
        refusals = [
            candidate.refusal for candidate in self._candidates if candidate.refusal is not None
        ]
        if not refusals:
            return "not_retryable"
        return "saturated" if all(r.why == "full" for r in refusals) else "unavailable"

    def _give_up(self, reason: str, now: float) -> GiveUp:
        refusals = [
            candidate.refusal or self._peek(candidate.target, now) for candidate in self._candidates
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


def _until(wait: tuple[float, str, Candidate]) -> float:
    return wait[0]
