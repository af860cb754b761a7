"""The virtual-time driver: the same plan, gates and budget, and no clock but a number.

For property tests and failure benchmarks: an hour of traffic takes seconds, and a seed repeats it
exactly. An :class:`Upstream` answers a call with a :class:`Reply`, which says when content comes
and how it ends; the timers of the attempt are applied to it as the asyncio driver would.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import NamedTuple, Protocol

from failsoft.classify import classify
from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.classify.wire_errors import TimedOut, Timer
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
from failsoft.policy.timers import Limits, RequestTimes, deadline_for, first_content_period

__all__ = ["Asked", "Reply", "Result", "Upstream", "VirtualDriver"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call would meet: moments in seconds after it began.

    ``contents`` are when content comes, ``end`` when the reply ends (infinity: never), ``verdict``
    what is wrong with it at its end, ``None`` for a whole answer.
    """

    contents: tuple[float, ...]
    end: float
    verdict: Verdict | None = None


class Asked(NamedTuple):
    """What a request is, and ``who`` asks; see :class:`~failsoft.policy.plan.Plan`."""

    input_tokens: int = 0
    thought_tokens: int | None = None
    who: Hashable = None


class Upstream(Protocol):
    """The seeded world a benchmark runs against."""

    def reply(self, target: Target, now: float) -> Reply:
        """The reply to one call of ``target`` that begins at ``now``."""
        ...


@dataclass(slots=True)
class Result:
    """One request, ended. ``shown`` are ``(call number, content number)`` pairs given out.

    ``called_at`` is when its last call began; ``cut`` of its ``calls`` were ended before their
    first content by a timer, or by an opening.
    """

    started_at: float
    ended_at: float = 0.0
    called_at: float = 0.0
    first_content_at: float | None = None
    calls: int = 0
    cut: int = 0
    answered: bool = False
    gave_up: GiveUp | None = None
    shown: list[tuple[int, int]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_at - self.started_at


class VirtualDriver:
    """Runs requests against an upstream in virtual time; deterministic by ``seed``."""

    def __init__(
        self,
        chain: Sequence[Target],
        upstream: Upstream,
        *,
        settings: Settings | None = None,
        seed: int = 0,
        stream: bool = False,
        asks: Callable[[], Asked] = Asked,
    ) -> None:
        self.settings = settings or Settings()
        self.asks = asks
        self.asked = Asked()  # what the call asks that is being answered
        self.rng = Random(seed)
        self.opened: list[tuple[float, Target]] = []
        self.now = 0.0
        self.guards = Guards(self.settings, rng=self.rng, on_change=self._changed)
        most = self.settings.bulkhead.route_limit // 2
        demand = Demand(self.settings.retry.budget_window_seconds)
        self.budget = RetryBudget(self.settings.retry, demand, most_waiting=most)
        self.recovery = Recovery(self.settings.breaker, demand, rng=self.rng)
        self.answered = RecentCallers()
        self.chain = tuple(chain)
        self.upstream = upstream
        self.stream = stream
        self.waiting: dict[_Run, int] = {}
        self.most_waiting = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        for target in chain:
            self.guards.of(target)

    def run(self, arrivals: Iterable[float]) -> list[Result]:
        """One request at each of the (rising) ``arrivals``, in seconds; all results, in order."""
        results: list[Result] = []
        for at in arrivals:
            self._until(at)
            self.now = at
            run = _Run(self, at)
            results.append(run.result)
            run.step(Started())
        self._until(float("inf"))
        return results

    def later(self, at: float, what: Callable[[], None]) -> None:
        """Have ``what`` happen at ``at``."""
        self._order += 1
        heapq.heappush(self._agenda, (at, self._order, what))

    def _until(self, at: float) -> None:
        agenda = self._agenda
        while agenda and agenda[0][0] <= at:
            self.now, _, what = heapq.heappop(agenda)
            what()

    def _changed(self, target: Target, change: Transition) -> None:
        self.recovery.changed(target.circuit, change, self.now)
        if change.after is CircuitState.OPEN:
            self.opened.append((self.now, target))
            self._wake(BreakerOpened())
        elif change.after is CircuitState.CLOSED:
            self._wake(BreakerClosed())

    def _wake(self, event: PlanEvent) -> None:
        # As an event of its own: a breaker moves in the middle of somebody's step.
        for run, wait in self.waiting.items():
            self.later(self.now, partial(run.wake, wait, event))


class _Run:
    """One request under way."""

    __slots__ = ("_asked", "_call", "_caller", "_driver", "_permit", "_plan", "_wait", "result")

    def __init__(self, driver: VirtualDriver, at: float) -> None:
        settings = driver.settings
        stream = driver.stream
        asked = self._asked = driver.asks()
        silence = first_content_period(
            settings.timers, input_tokens=asked.input_tokens, thought_tokens=asked.thought_tokens
        )
        own = deadline_for(settings, silence, stream=stream)
        times = RequestTimes(
            started_at=at,
            deadline_at=at + own,
            own_deadline_at=at + own,
            answer_at=at + max(own, settings.answer_timeout_seconds),
        )
        self._driver = driver
        self._caller = Caller(asked.who, driver.answered, driver.recovery)
        self._plan = Plan(
            driver.chain,
            times,
            retry=settings.retry,
            timers=settings.timers,
            budget=driver.budget,
            guards=driver.guards,
            caller=self._caller,
            rng=driver.rng,
            input_tokens=asked.input_tokens,
            thought_tokens=asked.thought_tokens,
        )
        self._permit: Permit | None = None
        self._call: Call | None = None
        self._wait = 0
        self.result = Result(at)

    def step(self, event: PlanEvent) -> None:
        """Go on until the request waits for something, or has ended."""
        driver = self._driver
        while True:
            command = self._plan.next(event, driver.now)
            if isinstance(command, Call):
                permit = driver.guards.of(command.target).admit(
                    driver.now,
                    lease_seconds=command.limits.lease_seconds,
                    caller=self._caller,
                )
                if isinstance(permit, Refusal):
                    event = Refused(permit)
                    continue
                self._begin(command, permit)
            elif isinstance(command, Wait):
                self._begin_wait(command.until)
            else:
                self._end(command)
            return

    def wake(self, wait: int, event: PlanEvent) -> None:
        """End wait number ``wait``, unless it is over."""
        if self._driver.waiting.get(self) == wait:
            del self._driver.waiting[self]
            self.step(event)

    def _begin_wait(self, until: float) -> None:
        self._wait += 1
        wait = self._wait
        self._driver.waiting[self] = wait
        self._driver.most_waiting = max(self._driver.most_waiting, len(self._driver.waiting))
        self._driver.later(until, partial(self.wake, wait, TimerFired()))

    def _begin(self, call: Call, permit: Permit) -> None:
        driver = self._driver
        self.result.calls += 1
        self._call, self._permit, driver.asked = call, permit, self._asked
        self.result.called_at = driver.now
        limits = permit.start(call.limits)
        reply = driver.upstream.reply(call.target, driver.now)
        contents, end, verdict = _under_limits(reply, limits, driver.now)
        # A plain answer gives nothing out: of its contents only the first matters.
        for number, at in enumerate(contents if driver.stream else contents[:1]):
            driver.later(at, partial(self._content, permit, number))
        driver.later(end, partial(self._over, permit, verdict))
        # As an event of its own: a breaker opens in the middle of another request's step.
        permit.on_opened = lambda: driver.later(driver.now, partial(self._opened, permit))

    def _opened(self, permit: Permit) -> None:
        now = self._driver.now
        if self._permit is permit and permit.silent and self._plan.may_hop(now):
            failure = TimedOut(Timer.OPENED, now - permit.began, full_period=True)
            self._over(permit, classify(failure, provider="anthropic", now=now))

    def _content(self, permit: Permit, number: int) -> None:
        if self._call is None or self._permit is not permit:
            return
        if number == 0:
            permit.first_content(self._driver.now)
            self.result.first_content_at = self._driver.now
        if self._driver.stream:
            if not self.result.shown:
                self._plan.next(FirstContent(), self._driver.now)
            self.result.shown.append((self._call.number, number))

    def _over(self, permit: Permit, verdict: Verdict | None) -> None:
        now = self._driver.now
        if self._permit is not permit:
            return  # it was ended before
        self._permit = None
        timed_out = verdict is not None and verdict.category is ErrorCategory.TIMEOUT
        self.result.cut += timed_out and permit.silent
        if verdict is None:
            permit.finish(Outcome.SUCCESS, now)
            self.step(Finished())
        else:
            self._driver.guards.finish(permit, verdict, now)
            self.step(Failed(verdict))

    def _end(self, command: Give | GiveUp) -> None:
        self.result.ended_at = self._driver.now
        if isinstance(command, GiveUp):
            self.result.gave_up = command
        else:
            self.result.answered = True


def _under_limits(
    reply: Reply, limits: Limits, now: float
) -> tuple[list[float], float, Verdict | None]:
    """The reply in absolute time, cut short where a timer of the attempt would fire."""
    contents: list[float] = []
    due, timer = limits.first_content_at, Timer.FIRST_CONTENT
    for offset in reply.contents:
        at = now + offset
        if at > min(due, limits.answer_at):
            break
        contents.append(at)
        due, timer = at + limits.idle_seconds, Timer.IDLE
    end = now + reply.end
    if end <= min(due, limits.answer_at):
        return contents, end, reply.verdict
    if limits.answer_at <= due:
        due, timer = limits.answer_at, Timer.DEADLINE
    full = timer is Timer.IDLE or (timer is Timer.FIRST_CONTENT and limits.full_period)
    failure = TimedOut(timer, due - now, full_period=full)
    return contents, due, classify(failure, provider="anthropic", now=due)
