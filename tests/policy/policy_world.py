"""A plan carried out in virtual time: the smallest driver that is one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from policy_verdicts import verdict

from failsoft.classify.verdict import Verdict
from failsoft.config.settings import Settings
from failsoft.policy.admission import Guards
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import CircuitState, Outcome, Transition
from failsoft.policy.callers import Caller, RecentCallers
from failsoft.policy.pacing import Demand, RetryBudget
from failsoft.policy.plan import Plan
from failsoft.policy.plan_events import (
    BreakerClosed,
    BreakerOpened,
    Call,
    Cancelled,
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
from failsoft.policy.recovery import Recovery
from failsoft.policy.target import Target
from failsoft.policy.target_guard import Permit
from failsoft.policy.timers import Limits, RequestTimes

# More commands than any request of these tests may need: a plan that loops runs into it.
MOST_STEPS = 3000


@dataclass(frozen=True)
class Reply:
    """What an upstream does with a call: content after ``first`` seconds, the end after ``end``."""

    end: float = 0.1
    verdict: Verdict | None = None
    first: float | None = None


def ok(seconds: float = 0.1) -> Reply:
    return Reply(end=seconds, first=seconds)


def fails(name: str, seconds: float = 0.1, **changes: Any) -> Reply:
    return Reply(end=seconds, verdict=verdict(name, **changes))


def cut(name: str = "stream_cut", *, first: float = 0.1, seconds: float = 0.2) -> Reply:
    """Content, and then a failure."""
    return Reply(end=seconds, verdict=verdict(name), first=first)


HANGS = Reply(end=float("inf"))

Upstream = Callable[[Target, float], Reply]


@dataclass
class Sent:
    """One call that was let through."""

    call: Call
    at: float
    until: float = 0.0
    verdict: Verdict | None = None


@dataclass
class Run:
    """A request carried out to its end."""

    end: Give | GiveUp
    ended_at: float
    sent: list[Sent] = field(default_factory=list)
    waits: list[tuple[float, Wait]] = field(default_factory=list)
    refused: list[Target] = field(default_factory=list)
    content_at: float | None = None

    @property
    def models(self) -> list[str]:
        return [sent.call.target.model for sent in self.sent]

    @property
    def gave_up(self) -> GiveUp:
        assert isinstance(self.end, GiveUp), self.end
        return self.end


def scripted(replies: Mapping[str, Iterable[Reply]]) -> Upstream:
    """Each model's replies one after the other; the last one goes on for ever."""
    queues = {model: list(queue) for model, queue in replies.items()}

    def reply(target: Target, _now: float) -> Reply:
        queue = queues[target.model]
        return queue.pop(0) if len(queue) > 1 else queue[0]

    return reply


class World:
    """Gates, a budget and a clock that requests share. Requests run one after the other."""

    def __init__(
        self, settings: Settings | None = None, *, seed: int = 0, now: float = 1000.0
    ) -> None:
        self.settings = settings or Settings()
        self.rng = Random(seed)
        self.now = now
        self.changes: list[tuple[Target, Transition]] = []
        self.guards = Guards(self.settings, rng=self.rng, on_change=self._changed)
        demand = Demand(self.settings.retry.budget_window_seconds)
        most = self.settings.bulkhead.route_limit // 2
        self.budget = RetryBudget(self.settings.retry, demand, most_waiting=most)
        self.recovery = Recovery(self.settings.breaker, demand, rng=self.rng)
        self.answered = RecentCallers()
        self.caller = Caller(None, self.answered, self.recovery)
        # Things that happen by themselves: (when, what), in order.
        self.later: list[tuple[float, Callable[[], None]]] = []

    def _changed(self, target: Target, change: Transition) -> None:
        self.changes.append((target, change))
        self.recovery.changed(target.circuit, change, self.now)

    def times(self, timeout: float | None = None, deadline: float | None = None) -> RequestTimes:
        own = self.settings.deadline_seconds if deadline is None else deadline
        caller = float("inf") if timeout is None else self.now + timeout
        return RequestTimes(
            started_at=self.now,
            deadline_at=min(self.now + own, caller),
            own_deadline_at=self.now + own,
            answer_at=min(self.now + max(own, self.settings.answer_timeout_seconds), caller),
        )

    def plan(self, chain: Sequence[Target], times: RequestTimes, **more: Any) -> Plan:
        for target in chain:
            self.guards.of(target)
        self.caller = Caller(None, self.answered, self.recovery)
        return Plan(
            chain,
            times,
            retry=self.settings.retry,
            timers=self.settings.timers,
            budget=self.budget,
            guards=self.guards,
            caller=self.caller,
            rng=self.rng,
            **more,
        )

    def run(
        self,
        chain: Sequence[Target],
        upstream: Upstream,
        *,
        timeout: float | None = None,
        stream: bool = False,
        **more: Any,
    ) -> Run:
        times = self.times(timeout)
        plan = self.plan(chain, times, **more)
        run = Run(Give(), 0.0)
        event: PlanEvent = Started()
        for _ in range(MOST_STEPS):
            command = plan.next(event, self.now)
            if isinstance(command, Call):
                event = self._call(command, upstream, run, plan, stream=stream)
            elif isinstance(command, Wait):
                run.waits.append((self.now, command))
                event = self._wait(command.until)
            else:
                run.end, run.ended_at = command, self.now
                return run
        raise AssertionError(f"no end after {MOST_STEPS} steps")

    def cancel(self, chain: Sequence[Target], upstream: Upstream) -> GiveUp:
        """A request whose caller leaves during its first call."""
        plan = self.plan(chain, self.times())
        call = plan.next(Started(), self.now)
        assert isinstance(call, Call)
        permit = self.guards.of(call.target).admit(
            self.now, lease_seconds=call.limits.lease_seconds, caller=self.caller
        )
        assert isinstance(permit, Permit)
        self.now += upstream(call.target, self.now).end / 2
        permit.finish(Outcome.NEUTRAL, self.now)
        end = plan.next(Cancelled(), self.now)
        assert isinstance(end, GiveUp)
        return end

    def _wait(self, until: float) -> PlanEvent:
        """Sleep, unless a breaker opens or closes meanwhile."""
        while self.later and self.later[0][0] <= until:
            at, happens = self.later.pop(0)
            self.now = max(self.now, at)
            before = len(self.changes)
            happens()
            after = [change.after for _, change in self.changes[before:]]
            if CircuitState.OPEN in after:
                return BreakerOpened()
            if CircuitState.CLOSED in after:
                return BreakerClosed()
        self.now = max(self.now, until)
        return TimerFired()

    def _call(
        self, call: Call, upstream: Upstream, run: Run, plan: Plan, *, stream: bool
    ) -> PlanEvent:
        permit = self.guards.of(call.target).admit(
            self.now, lease_seconds=call.limits.lease_seconds, caller=self.caller
        )
        if isinstance(permit, Refusal):
            run.refused.append(call.target)
            return Refused(permit)
        sent = Sent(call, self.now)
        run.sent.append(sent)
        reply = self._timed(permit.start(call.limits), upstream(call.target, self.now))
        if reply.first is not None:
            self.now = sent.at + reply.first
            permit.first_content(self.now)
            if stream:
                run.content_at = run.content_at or self.now
                assert isinstance(plan.next(FirstContent(), self.now), Give)
        self.now = sent.until = sent.at + reply.end
        sent.verdict = reply.verdict
        if reply.verdict is None:
            permit.finish(Outcome.SUCCESS, self.now)
            return Finished()
        self.guards.finish(permit, reply.verdict, self.now)
        return Failed(reply.verdict)

    def _timed(self, limits: Limits, reply: Reply) -> Reply:
        """The reply as far as the timers of the attempt let it come."""
        quiet = min(limits.first_content_at, limits.answer_at) - self.now
        if min(reply.end, reply.end if reply.first is None else reply.first) > quiet:
            by_caller = limits.answer_at <= limits.first_content_at
            name = "no_answer" if limits.full_period else "no_answer_short"
            return Reply(end=quiet, verdict=verdict("deadline" if by_caller else name))
        if reply.first is None:
            return reply
        silent = reply.first + limits.idle_seconds
        longest = limits.answer_at - self.now
        if reply.end > min(silent, longest):
            name = "no_answer" if silent < longest else "deadline"
            return Reply(end=min(silent, longest), verdict=verdict(name), first=reply.first)
        return reply

    def idle(self) -> bool:
        """Nothing is held: no place, and no lease that a later call could not have."""
        return all(
            guard.bulkhead.held == 0 and guard.bulkhead.waiting == 0 for guard in self.guards
        )
