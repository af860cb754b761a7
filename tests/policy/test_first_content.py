"""What is learned of first contents: the period, what it is not learned from, when it gives way."""

from functools import partial
from math import exp, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_verdicts import CHAIN, HAIKU, OPUS, SONNET
from policy_world import HANGS, World, ok, scripted

from failsoft.classify import verdict_for
from failsoft.config.settings import BreakerSettings, Settings, TimerSettings
from failsoft.policy.admission import Guards, Permit
from failsoft.policy.breaker import CircuitState, Outcome
from failsoft.policy.first_content import GaveWay, LearnedPeriod
from failsoft.policy.plan_events import Call, Failed, Started
from failsoft.policy.target import Target
from failsoft.policy.timers import KnownPeriods, Limits, RequestTimes, limits_for, own_period

T0 = 1000.0
SIGMA = 0.5


def lognormal(rng: Random, median: float = 0.8, sigma: float = SIGMA) -> float:
    return median * rng.lognormvariate(0.0, sigma)


class Pace:
    """Calls of one target, 20 a second, under its learned period; a fixed one of 15 s else."""

    def __init__(self, seed: int = 0) -> None:
        self.learned = LearnedPeriod(thinks=False)
        self.rng = Random(seed)
        self.now = T0
        self.gave_way: list[GaveWay] = []
        self.cuts = 0

    @property
    def period(self) -> float | None:
        return self.learned.period(self.now)

    def call(self, seconds: float, *, epoch: int | None = None) -> None:
        period = self.period
        epoch = self.learned.epoch if epoch is None else epoch
        self.now += 0.05
        if seconds > (15.0 if period is None else period):
            self.learned.cut(epoch=epoch, learned=period is not None)
            self.cuts += 1
        elif gave_way := self.learned.answered(seconds, self.now, epoch=epoch):
            self.gave_way.append(gave_way)

    def calls(self, count: int, *, median: float = 0.8, sigma: float = SIGMA) -> None:
        for _ in range(count):
            self.call(lognormal(self.rng, median, sigma))

    def give_way(self) -> None:
        """Calls of which one in thirty takes 14 s, until the period has given way once more."""
        for _ in range(200):
            self.calls(29)
            before = len(self.gave_way)
            self.call(14.0)
            self.call(0.8)
            if len(self.gave_way) > before:
                return
        raise AssertionError("it never gave way")


def test_with_fewer_than_200_nothing_is_known():
    pace = Pace()
    pace.calls(199)
    pace.now += 1
    assert (pace.period, pace.learned.median(pace.now)) == (None, None)
    pace.calls(30)
    pace.now += 1
    assert pace.period is not None


@pytest.mark.parametrize(("median", "sigma"), [(0.8, 0.5), (0.8, 0.3), (2.0, 0.5), (0.2, 0.8)])
def test_of_any_lognormal_it_is_what_about_one_in_2000_exceed(median, sigma):
    pace = Pace()
    pace.calls(1000, median=median, sigma=sigma)
    wanted = median * exp(2 * 1.645 * sigma)
    assert pace.period == pytest.approx(wanted, rel=0.25)
    assert pace.learned.median(pace.now) == pytest.approx(median, rel=0.1)


@given(seconds=st.floats(0.02, 1500))
def test_a_target_that_always_takes_as_long_is_given_longer(seconds):
    pace = Pace()
    for _ in range(230):
        pace.now += 0.05
        pace.learned.answered(seconds, pace.now, epoch=0)
    pace.now += 1
    period, median = pace.period, pace.learned.median(pace.now)
    assert period is not None
    assert seconds < period <= seconds * 1.1
    assert median == pytest.approx(seconds, rel=0.05)


def test_it_forgets_in_ten_minutes():
    pace = Pace()
    pace.calls(1200)
    before = pace.learned.learned(pace.now).samples
    after = pace.learned.learned(pace.now + 600).samples
    assert after == pytest.approx(before / exp(1))
    assert pace.learned.period(pace.now + 600) is not None
    assert pace.learned.period(pace.now + 1200) is None


def test_a_faster_model_is_known_for_one_within_minutes():
    pace = Pace()
    pace.calls(2000, median=2.0)
    slow = pace.period
    pace.calls(6000, median=0.8)
    fast = pace.period
    assert slow is not None
    assert fast is not None
    assert log(slow / fast) == pytest.approx(log(2.5), abs=0.2)


@given(
    calls=st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 100), st.booleans()), min_size=1, max_size=60
    ),
    repeat=st.integers(1, 40),
    least=st.floats(0.05, 15),
    tokens=st.integers(0, 1_000_000),
    thought=st.none() | st.integers(0, 60_000),
)
def test_whatever_was_learned_a_period_is_between_its_floor_and_the_fixed_one(
    calls, repeat, least, tokens, thought
):
    settings = TimerSettings(first_content_min_seconds=least)
    learned, now = LearnedPeriod(thinks=thought is not None), T0
    times = RequestTimes(T0, 1e9, 1e9, 1e9)
    for seconds, pause, cut in calls * repeat:
        now += pause
        if cut:
            learned.cut(epoch=learned.epoch, learned=True)
        else:
            learned.answered(seconds, now, epoch=learned.epoch)
        asked = {"now": now, "hop": 0, "last": False, "input_tokens": tokens}
        one, fixed = (
            limits_for(settings, times, thought_tokens=thought, known=known, **asked)
            for known in (KnownPeriods(None, learned.period(now)), None)
        )
        allowance = tokens / settings.input_tokens_per_second
        assert one.first_content_at - now >= least + allowance - 1e-3
        assert one.first_content_at <= fixed.first_content_at
        assert learned.learned(now).samples <= 1000


@given(
    times=st.lists(st.floats(-100, 1e9), max_size=50),
    pauses=st.lists(st.floats(0, 1e5), max_size=50),
)
def test_it_takes_the_same_room_whatever_it_was_told(times, pauses):
    learned, now = LearnedPeriod(thinks=False), T0
    size = len(learned._bins)
    for seconds, pause in zip(times, pauses, strict=False):
        now += pause
        learned.answered(seconds, now, epoch=0)
        learned.period(now)
        assert len(learned._bins) == size


class TestCuts:
    """What a timer cut took longer, if the target answers at all."""

    def test_a_cut_is_learned_from_once_the_target_has_answered_again(self):
        pace = Pace()
        pace.calls(600)
        before = pace.learned.learned(pace.now)
        for _ in range(4):  # too few to give way
            pace.learned.cut(epoch=0, learned=True)
        assert pace.learned.learned(pace.now) == before
        pace.learned.answered(0.8, pace.now, epoch=0)
        assert pace.learned.learned(pace.now).samples == pytest.approx(before.samples + 5)

    def test_many_cuts_make_the_period_longer(self):
        pace = Pace()
        pace.calls(3000)
        before = pace.period
        for _ in range(40):  # 0.8 % are cut, a minute's worth and more
            pace.calls(124)
            pace.call(1e9)
        assert pace.gave_way == []
        assert pace.period > before

    def test_a_period_that_cuts_more_than_one_in_a_hundred_gives_way(self):
        pace = Pace()
        pace.calls(3000)
        period = pace.period
        pace.give_way()
        (gave_way,) = pace.gave_way
        assert gave_way.period_seconds >= period
        assert gave_way.cuts >= 5
        assert gave_way.cuts > 0.01 * gave_way.calls
        assert gave_way.fixed_seconds == 60
        known = pace.learned.learned(pace.now)
        assert (known.why, known.period) == ("gave way", None)

    def test_then_it_is_learned_from_the_beginning(self):
        pace = Pace()
        pace.calls(3000)
        pace.give_way()
        pace.calls(1000, median=2.4)
        assert pace.period is None
        pace.calls(500, median=2.4)
        assert pace.period == pytest.approx(2.4 * exp(2 * 1.645 * SIGMA), rel=0.25)

    def test_fewer_than_five_cuts_are_not_enough(self):
        pace = Pace()
        pace.calls(400)
        pace.now += 120  # the minute before is over
        for _ in range(4):
            pace.call(14.0)
            pace.call(0.5)
        assert pace.cuts == 4
        assert pace.gave_way == []

    def test_each_time_it_gives_way_for_twice_as_long_up_to_ten_minutes(self):
        pace = Pace()
        pace.calls(1000)
        for _ in range(6):
            while pace.period is None:
                pace.calls(1)
            pace.give_way()
        assert [g.fixed_seconds for g in pace.gave_way] == [60, 120, 240, 480, 600, 600]

    def test_a_period_that_has_held_for_ten_minutes_begins_with_one_again(self):
        pace = Pace()
        for _ in range(2):
            pace.calls(14_000)
            pace.give_way()
        assert [g.fixed_seconds for g in pace.gave_way] == [60, 60]

    def test_calls_from_before_it_gave_way_do_not_make_it_give_way_again(self):
        pace = Pace()
        pace.calls(3000)
        old = pace.learned.epoch
        pace.give_way()
        pace.calls(2000)
        assert len(pace.gave_way) == 1
        assert pace.period is not None
        for _ in range(200):
            pace.learned.cut(epoch=old, learned=True)
            pace.call(0.8)
        assert len(pace.gave_way) == 1
        assert pace.learned.learned(pace.now).samples <= 1000
        assert pace.period == pytest.approx(0.8 * exp(2 * 1.645 * SIGMA), rel=0.25)

    def test_cuts_that_opened_the_breaker_do_not_count(self):
        pace = Pace()
        pace.calls(3000)
        before = pace.period
        for _ in range(500):
            pace.learned.cut(epoch=pace.learned.epoch, learned=True)
        pace.learned.opened()
        pace.calls(20)
        assert pace.gave_way == []
        assert pace.period == pytest.approx(before, rel=0.1)

    def test_where_most_calls_are_cut_no_middle_is_known(self):
        pace = Pace()
        pace.calls(100)
        for _ in range(400):
            pace.learned.cut(epoch=pace.learned.epoch, learned=False)
        pace.learned.answered(1.0, pace.now, epoch=pace.learned.epoch)
        pace.now += 2.0
        learned = pace.learned.learned(pace.now)
        assert learned.samples > 200
        assert (learned.why, learned.median) == ("learned", None)
        assert own_period(TimerSettings(), pace.learned.periods(pace.now), thought_tokens=None) == (
            15.0,
            "fixed",
        )

    def test_cuts_by_the_fixed_period_never_make_it_give_way(self):
        pace = Pace()
        for _ in range(300):
            pace.learned.cut(epoch=0, learned=False)
            pace.call(0.8)
        assert pace.gave_way == []


class Yard:
    """Guards of all targets, and calls of one of them by hand."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.now = T0
        self.guards = Guards(self.settings, rng=Random(0))

    def begin(
        self, target: Target = OPUS, *, timeout: float = 1e9, thinks: bool = False, tokens: int = 0
    ) -> Permit:
        permit = self.guards.of(target).admit(self.now, lease_seconds=20)
        assert isinstance(permit, Permit)
        permit.start(self.limits(target, timeout=timeout, thinks=thinks, tokens=tokens))
        return permit

    def limits(self, target: Target, *, timeout: float, thinks: bool, tokens: int = 0) -> Limits:
        times = RequestTimes(self.now, self.now + min(timeout, 200), self.now + 200, self.now + 600)
        return limits_for(
            self.settings.timers,
            times,
            now=self.now,
            hop=0,
            last=False,
            input_tokens=tokens,
            thought_tokens=0 if thinks else None,
            known=self.guards.known(target, self.now, thinks=thinks),
        )

    def answer(self, permit: Permit, seconds: float = 0.8) -> None:
        self.now = permit.began + seconds
        permit.first_content(self.now)
        permit.finish(Outcome.SUCCESS, self.now)

    def samples(self, target: Target = OPUS, *, thinks: bool = False) -> float:
        return self.guards.of(target).contents.of(thinks=thinks).learned(self.now).samples


def test_prompts_that_a_provider_has_cached_make_no_period_shorter_than_all_need():
    """They take a second and are allowed ten more: their model would seem to need no time."""
    yard, rng = Yard(), Random(3)
    for _ in range(400):
        yard.answer(yard.begin(tokens=80_000), lognormal(rng, median=2.0))
    learned = yard.guards.of(OPUS).contents.of(thinks=False).learned(yard.now)
    assert learned.median == pytest.approx(2.0, rel=0.1)
    assert learned.period is not None
    assert learned.period > 8.0


def test_calls_with_thought_and_without_are_learned_from_apart():
    yard = Yard()
    for _ in range(10):
        yard.answer(yard.begin())
        yard.answer(yard.begin(thinks=True), 30.0)
        yard.answer(yard.begin(thinks=True), 40.0)
    assert yard.samples() == pytest.approx(10, rel=0.7)
    assert yard.samples(thinks=True) == pytest.approx(2 * yard.samples(), rel=0.1)
    assert yard.samples(SONNET) == 0


CALLS = st.tuples(
    st.sampled_from(["answer", "cut", "overloaded"]),
    st.none() | st.floats(0.1, 60),  # a timeout of the caller's
    st.floats(0.1, 14.9),
)


@given(calls=st.lists(CALLS, min_size=1, max_size=60))
def test_only_calls_of_closed_targets_with_a_whole_period_are_learned_from(calls):
    yard, learned_from = Yard(), 0
    for what, timeout, seconds in calls:
        yard.now += 40  # longer than any target stays open
        call = yard.begin(timeout=1e9 if timeout is None else timeout)
        probe = call.ticket.expires_at is not None
        # The first target has half of what a caller grants, and may leave 15 s of much.
        granted = 15.0 if timeout is None else min(15.0, max(timeout / 2, timeout - 15))
        whole = granted >= 15.0 and not probe
        if what == "answer" and seconds < granted:
            yard.answer(call, seconds)
            learned_from += whole
        elif what == "cut":
            yard.now += granted
            row = "no_answer" if granted >= 15.0 else "no_answer_short"
            yard.guards.finish(call, verdict_for(row), yard.now)
        else:
            yard.guards.finish(call, verdict_for("overloaded"), yard.now + 0.1)
    known = yard.guards.of(OPUS).contents.of(thinks=False)
    cuts = sum(what == "cut" for what, _, _ in calls)
    assert known.learned(T0).samples <= learned_from + cuts
    if not learned_from:
        assert known.learned(T0).samples == 0


def test_nothing_is_learned_under_a_limit_of_the_callers():
    yard = Yard()
    for _ in range(50):
        yard.answer(yard.begin(timeout=6.0))
        yard.guards.finish(yard.begin(timeout=6.0), verdict_for("no_answer_short"), yard.now + 3)
    assert yard.samples() == 0


def test_nothing_is_learned_from_a_probe():
    yard = Yard()
    breaker = yard.guards.of(OPUS).breaker
    for _ in range(20):
        while breaker.state is not CircuitState.OPEN:
            yard.now += 1
            yard.guards.finish(yard.begin(), verdict_for("overloaded"), yard.now)
        yard.now += 20
        probe = yard.begin()
        assert probe.ticket.expires_at is not None
        yard.answer(probe)
    assert yard.samples() == 0


def test_a_probe_of_the_last_target_has_its_own_period():
    settings = Settings(deadline_seconds=200)
    world = World(settings)
    for _ in range(4):
        world.now += 1
        world.run([OPUS], scripted({"opus": [HANGS]}))
    world.now += 60
    run = world.run([OPUS], scripted({"opus": [HANGS]}))
    assert run.sent[0].until - run.sent[0].at == 15.0


def test_a_cut_by_a_timer_is_learned_from():
    yard = Yard()
    yard.answer(yard.begin())
    cut = yard.begin()
    yard.now += 15.0
    yard.guards.finish(cut, verdict_for("no_answer"), yard.now)
    before = yard.samples()
    yard.answer(yard.begin())
    assert yard.samples() == pytest.approx(before + 2, abs=0.1)


class TestOpening:
    """An opening by timeouts takes the silent calls of its target along."""

    def begin(self, yard: Yard, target: Target = OPUS, count: int = 5) -> list[Permit]:
        """Calls that note here that they are to end."""
        calls = [yard.begin(target) for _ in range(count)]
        for permit in calls:
            permit.on_opened = partial(self.ended.append, permit)
        return calls

    @pytest.fixture(autouse=True)
    def _none_ended(self) -> None:
        self.ended: list[Permit] = []

    @pytest.mark.parametrize(("row", "by_timeouts"), [("no_answer", True), ("overloaded", False)])
    def test_those_of_that_target_without_content(self, row, by_timeouts):
        yard = Yard()
        early = [yard.begin() for _ in range(10)]
        yard.now += 10
        late = self.begin(yard)
        self.begin(yard, SONNET)
        yard.now += 5
        late[0].first_content(yard.now)
        late[1].finish(Outcome.NEUTRAL, yard.now)
        for permit in early:
            yard.now += 0.1
            yard.guards.finish(permit, verdict_for(row), yard.now)
        assert yard.guards.of(OPUS).breaker.state is CircuitState.OPEN
        assert set(self.ended) == (set(late[2:]) if by_timeouts else set())

    def test_none_where_breakers_only_count(self):
        yard = Yard(Settings(breaker=BreakerSettings(metrics_only=True)))
        calls = self.begin(yard, count=12)
        for permit in calls[:10]:
            yard.now += 2.0
            yard.guards.finish(permit, verdict_for("no_answer"), yard.now)
        assert yard.guards.of(OPUS).breaker.state is CircuitState.OPEN
        assert self.ended == []

    def test_the_request_hops_and_the_opening_counts_once(self):
        world = World()
        times = world.times()
        plan = world.plan(CHAIN, times)
        call = plan.next(Started(), world.now)
        assert isinstance(call, Call)
        assert plan.may_hop(world.now)
        hop = plan.next(Failed(verdict_for("no_answer_opened")), world.now + 1)
        assert isinstance(hop, Call)
        assert hop.target == SONNET

    def test_not_where_no_other_target_may_be_called(self):
        world = World()
        alone = world.plan([HAIKU], world.times())
        alone.next(Started(), world.now)
        assert not alone.may_hop(world.now)
        effects = world.plan(CHAIN, world.times(), may_have_effects=True)
        effects.next(Started(), world.now)
        assert not effects.may_hop(world.now)
        late = world.plan(CHAIN, world.times())
        late.next(Started(), world.now)
        assert not late.may_hop(world.now + 59.9)
        for target in CHAIN[1:]:
            world.guards.of(target).breaker.isolate()
        shut = world.plan(CHAIN, world.times())
        shut.next(Started(), world.now)
        assert not shut.may_hop(world.now)

    def test_such_a_call_counts_for_nothing(self):
        yard = Yard()
        for _ in range(40):
            yard.now += 1
            yard.guards.finish(yard.begin(), verdict_for("no_answer_opened"), yard.now)
        assert yard.guards.of(OPUS).breaker.state is CircuitState.CLOSED
        assert yard.guards.of(OPUS).breaker.last_failure is None


def test_a_world_that_answers_learns_and_cuts_a_hang_short():
    world, rng = World(), Random(3)
    for _ in range(400):
        world.run(CHAIN, lambda _target, _now: ok(lognormal(rng)))
    world.now += 1
    run = world.run(CHAIN, scripted({"opus": [HANGS], "sonnet": [ok()], "haiku": [ok()]}))
    assert run.models == ["opus", "sonnet"]
    assert 3.0 <= run.sent[0].until - run.sent[0].at < 6.0
