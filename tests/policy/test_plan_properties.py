"""What holds for every plan, whatever the upstreams do."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_verdicts import HAIKU, OPUS, OTHER, SONNET, VERDICTS, target, verdict
from policy_world import HANGS, Reply, Run, World, ok

from failsoft.classify.verdict import ErrorCategory, Fault, NextModel, RetrySame, Verdict
from failsoft.classify.verdict import Sent as MaySent
from failsoft.config.settings import RetrySettings, Settings
from failsoft.policy.bench import Refusal
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
from failsoft.policy.target import Target
from failsoft.policy.timers import RequestTimes

LARGE = target("large", context_window=200)
SMALL = target("small", context_window=100)
TWIN = target("opus-old", family="opus")
POOL = (OPUS, TWIN, SONNET, HAIKU, SMALL, LARGE, OTHER, target("mini", "openai"))
EPSILON = 1e-6

NAMES = sorted(VERDICTS)
WAITS = st.sampled_from([None, None, None, 0.0, 1.0, 4.0, 25.0, 400.0])
FAILURES = st.builds(
    lambda name, wait: verdict(name, wait_seconds=wait), st.sampled_from(NAMES), WAITS
)
COMMON = st.builds(
    lambda name, wait: verdict(name, wait_seconds=wait),
    st.sampled_from(["overloaded", "server_error", "unavailable", "requests", "connection"]),
    WAITS,
)
SECONDS = st.sampled_from([0.0, 0.05, 1.0, 6.0, 14.0])
REPLIES = st.one_of(
    st.builds(lambda seconds, known: Reply(end=seconds, verdict=known), SECONDS, COMMON),
    st.builds(lambda seconds, known: Reply(end=seconds, verdict=known), SECONDS, FAILURES),
    st.builds(
        lambda first, more, known: Reply(end=first + more, verdict=known, first=first),
        SECONDS,
        st.sampled_from([0.0, 3.0, 25.0, 90.0]),
        FAILURES,
    ),
    st.just(HANGS),
    st.builds(ok, SECONDS),
)


@dataclass(frozen=True)
class Case:
    """One request, its upstreams and what was the matter before it came."""

    chain: list[Target]
    replies: list[Reply]
    settings: Settings
    timeout: float | None
    stream: bool
    effects: bool
    isolated: list[Target]
    benched: dict[Target, float]
    opening: list[tuple[float, Target]]
    seed: int


CASES = st.builds(
    Case,
    chain=st.lists(st.sampled_from(POOL), min_size=1, max_size=4, unique=True),
    replies=st.lists(REPLIES, min_size=1, max_size=8),
    settings=st.builds(
        lambda most, strategy, jitter, base, deadline: Settings(
            deadline_seconds=deadline,
            retry=RetrySettings(
                max_attempts=most, strategy=strategy, jitter=jitter, base_delay_seconds=base
            ),
        ),
        st.sampled_from([1, 2, 6, 6, 30]),
        st.sampled_from(["fallback_first", "retry_first"]),
        st.sampled_from(["full", "quarter"]),
        st.sampled_from([0.0, 1.0]),
        st.sampled_from([0.5, 8.0, 30.0, 60.0]),
    ),
    timeout=st.sampled_from([None, None, 0.3, 5.0, 20.0, 300.0]),
    stream=st.booleans(),
    effects=st.sampled_from([False, False, True]),
    isolated=st.lists(st.sampled_from(POOL), max_size=2),
    benched=st.dictionaries(st.sampled_from(POOL), st.sampled_from([2.0, 20.0, 300.0]), max_size=3),
    opening=st.lists(
        st.tuples(st.sampled_from([0.5, 4.0, 15.0]), st.sampled_from(POOL)), max_size=2
    ),
    seed=st.integers(0, 9),
)


def carry_out(case: Case) -> tuple[World, RequestTimes, Run]:
    world = World(case.settings, seed=case.seed)
    for one in case.isolated:
        world.guards.of(one).breaker.isolate()
    for one, seconds in case.benched.items():
        world.guards.bench(one, seconds, VERDICTS["requests"], world.now)
    for after, one in sorted(case.opening, key=lambda item: item[0]):
        world.later.append((world.now + after, world.guards.of(one).breaker.isolate))
    times = world.times(case.timeout)
    answers = iter(case.replies)
    run = world.run(
        case.chain,
        lambda *_: next(answers, case.replies[-1]),
        timeout=case.timeout,
        stream=case.stream,
        may_have_effects=case.effects,
    )
    return world, times, run


def ends_in_time(times: RequestTimes, run: Run) -> None:
    assert all(sent.at < times.deadline_at for sent in run.sent), "started after the deadline"
    assert all(sent.at <= times.useful_until + EPSILON for sent in run.sent[1:])
    slept = [wait for at, wait in run.waits if wait.until > at]
    assert all(wait.until <= times.useful_until + EPSILON for wait in slept)
    assert all(at <= wait.until for at, wait in run.waits)
    assert all(sent.until <= times.answer_at + EPSILON for sent in run.sent)
    alive = [sent for sent in run.sent if sent.until > times.deadline_at + EPSILON]
    assert alive in ([], run.sent[-1:]), "only a living answer goes on, and nothing after it"


def counts_its_calls(case: Case, run: Run) -> None:
    assert len(run.sent) <= case.settings.retry.max_attempts
    assert [sent.call.number for sent in run.sent] == list(range(1, len(run.sent) + 1))
    for sent in run.sent:
        assert case.chain[sent.call.position] is sent.call.target


def keeps_its_distance(run: Run) -> None:
    """Before the same target is called again, what it asked for has passed."""
    for one in {sent.call.target for sent in run.sent}:
        for before, after in pairwise(s for s in run.sent if s.call.target is one):
            known, gap = before.verdict, after.at - before.until
            assert known is not None, "called again after an answer"
            assert gap >= (known.wait_seconds or 0.0) - EPSILON
            if known.reason == "overloaded":
                assert gap >= 1.0 - EPSILON
            if known.category is ErrorCategory.RATE_LIMITED and known.wait_seconds is None:
                assert gap >= 1.0 - EPSILON, "a limit without a hint is backed off from"


def heeds_the_verdicts(run: Run) -> None:
    for place, sent in enumerate(run.sent):
        known, later = sent.verdict, [s.call.target for s in run.sent[place + 1 :]]
        if known is None:
            assert not later
            continue
        one = sent.call.target
        earlier = [s for s in run.sent[:place] if s.call.target is one]
        if known.retry_same is RetrySame.NEVER:
            assert one not in later
        if known.retry_same is RetrySame.ONCE and earlier:
            assert one not in later
        if known.reason == "connection":
            assert all(other is one or other.host != one.host for other in later)
        if place == 0 and known.try_next_model in (NextModel.NO, NextModel.OPT_IN):
            assert all(other is one or other.provider != one.provider for other in later)
        if place == 0 and known.try_other_provider == "no":
            assert all(other.provider == one.provider for other in later)
        if known.reason == "context_too_long":
            windows = [other.context_window or 0 for other in later]
            assert all(window > (one.context_window or 10**9) for window in windows)


def replays_nothing_that_was_seen(case: Case, run: Run) -> None:
    for place, sent in enumerate(run.sent[:-1]):
        assert sent.verdict is not None
        if case.effects:
            assert sent.verdict.sent is MaySent.NO, "sent twice although it may have done something"
        if case.stream:
            assert run.content_at is None or run.sent[place + 1].at <= run.content_at


def is_the_callers_limit(known: Verdict) -> bool:
    return known.category is ErrorCategory.TIMEOUT and known.fault is Fault.USER


def ends_with_what_was_learnt(run: Run) -> None:
    if isinstance(run.end, Give):
        assert run.sent[-1].verdict is None
        return
    seen = [sent.verdict for sent in run.sent]
    assert None not in seen
    assert run.end.reason in {
        "attempts", "deadline", "budget", "unavailable", "saturated", "not_retryable", "effects",
        "interrupted",
    }  # fmt: skip
    learnt = [known for known in seen if known and not is_the_callers_limit(known)] or seen
    if run.end.reason == "interrupted":
        learnt = seen
    if learnt:
        assert run.end.verdict in (learnt[0], learnt[-1])


@given(case=CASES)
@settings(max_examples=200)
def test_every_request(case):
    world, times, run = carry_out(case)
    counts_its_calls(case, run)
    ends_in_time(times, run)
    keeps_its_distance(run)
    heeds_the_verdicts(run)
    replays_nothing_that_was_seen(case, run)
    ends_with_what_was_learnt(run)
    assert world.idle()


@given(case=CASES)
@settings(max_examples=30)
def test_the_same_dice_make_the_same_request(case):
    (_, _, one), (_, _, two) = carry_out(case), carry_out(case)
    assert one == two


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=8),
    chain=st.lists(st.sampled_from(POOL), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=80)
def test_without_a_budget_no_target_is_called_twice(names, chain):
    retry = RetrySettings(budget_ratio=0.0, budget_floor_per_second=0.0)
    replies = iter(names * 10)
    run = World(Settings(retry=retry)).run(chain, lambda *_: Reply(verdict=VERDICTS[next(replies)]))
    assert len(run.models) == len(set(run.models))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strategy", ["fallback_first", "retry_first"])
def test_no_verdict_goes_on_for_ever(name, strategy):
    """Even where waits are nothing and attempts are many."""
    retry = RetrySettings(
        strategy=strategy, max_attempts=100, base_delay_seconds=0, budget_floor_per_second=1000
    )
    for wait in (None, 0.0, 0.001, 5.0, 1e9, float("inf")):
        reply = Reply(end=0.0, verdict=verdict(name, wait_seconds=wait))
        run = World(Settings(retry=retry)).run(POOL, lambda *_, known=reply: known)
        assert run.gave_up.verdict == reply.verdict
        assert len(run.sent) <= 100


EVENTS = st.one_of(
    st.sampled_from(
        [
            Started(),
            FirstContent(),
            Finished(),
            TimerFired(),
            BreakerOpened(),
            BreakerClosed(),
            Cancelled(),
        ]
    ),
    st.builds(Failed, FAILURES),
    st.builds(
        Refused,
        st.builds(
            Refusal,
            st.sampled_from(
                ["open", "half_open", "isolated", "slow_start", "ramp", "bench", "park", "full"]
            ),
            st.sampled_from([900.0, 1001.0, 1030.0, 9999.0, float("inf")]),
            st.none() | FAILURES,
        ),
    ),
)


@given(
    events=st.lists(st.tuples(st.sampled_from([0.0, 0.1, 5.0, 50.0]), EVENTS), max_size=40),
    chain=st.lists(st.sampled_from(POOL), max_size=4, unique=True),
    strategy=st.sampled_from(["fallback_first", "retry_first"]),
)
@settings(max_examples=80)
def test_no_order_of_events_breaks_it(events, chain, strategy):
    world = World(Settings(retry=RetrySettings(strategy=strategy)))
    plan = world.plan(chain, world.times())
    called = False
    for later, event in events:
        world.now += later
        if not called and isinstance(event, Failed | Refused):
            with pytest.raises(RuntimeError, match="before it asked for one"):
                plan.next(event, world.now)
            continue
        command: object = plan.next(event, world.now)
        assert isinstance(command, Call | Wait | Give | GiveUp)
        called = called or isinstance(command, Call)


def test_every_event_has_its_answer():
    """A new kind of event must find its place in these tests."""
    known = {Started, FirstContent, Failed, Refused, Finished, TimerFired, Cancelled}
    known |= {BreakerOpened, BreakerClosed}
    assert set(PlanEvent.__args__) == known
