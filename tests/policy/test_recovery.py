"""How a route comes back: intervals of probes, turns, waits for a probe, and slow starts."""

from collections import Counter
from itertools import pairwise
from operator import itemgetter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from policy_verdicts import CHAIN, HAIKU, OPUS, SONNET, VERDICTS
from policy_verdicts import target as make_target

from failsoft.config.settings import BreakerSettings, Settings
from failsoft.policy.admission import Guards
from failsoft.policy.bench import Refusal
from failsoft.policy.breaker import CircuitState, Outcome, Transition
from failsoft.policy.callers import Caller, RecentCallers
from failsoft.policy.pacing import Demand, RetryBudget
from failsoft.policy.plan import Plan
from failsoft.policy.plan_events import Call, GiveUp, Refused, Started
from failsoft.policy.recovery import Recovery, SlowStart, probe_interval
from failsoft.policy.target_guard import Permit
from failsoft.policy.timers import RequestTimes

RULES = BreakerSettings()
NOW = 1000.0


class Route:
    """A route whose targets are down, and who asks on it."""

    def __init__(self, **rules):
        self.now = NOW
        self.settings = Settings(breaker=BreakerSettings(**rules))
        self.demand = Demand(10)
        self.recovery = Recovery(self.settings.breaker, self.demand, rng=Random(1))
        self.guards = Guards(self.settings, rng=Random(2), on_change=self._changed)
        self.answered = RecentCallers()

    def _changed(self, target, change):
        self.recovery.changed(target.circuit, change, self.now)

    def caller(self):
        self.demand.count(self.now)
        return Caller(None, self.answered, self.recovery)

    def trip(self, *targets, seconds=0.015):
        for target in targets:
            guard = self.guards.of(target)
            guard.breaker.failed_seconds = seconds
            guard.breaker.trip(self.now, "host down")

    def admit(self, target, caller=None):
        return self.guards.of(target).admit(
            self.now, lease_seconds=20.0, caller=caller or self.caller()
        )

    def close(self, target):
        """It is met open, and later a probe of it succeeds."""
        self.admit(target)
        self.now += 20.0
        permit = self.admit(target)
        assert isinstance(permit, Permit)
        permit.finish(Outcome.SUCCESS, self.now)
        assert self.guards.of(target).breaker.state is CircuitState.CLOSED


# Intervals


@pytest.mark.parametrize(
    ("seconds", "rate", "interval"),
    [
        (0.015, 200.0, 1.0),  # demand pays for a probe a second, and for no more
        (0.015, 20.0, 2.5),  # fifty are turned away
        (0.3, 200.0, 3.0),  # ten times the probe
        (0.015, 1.0, 5.0),
        (0.5, 0.0, 5.0),
        (0.6, 200.0, 6.0),
        (2.0, 200.0, 15.0),
        (15.0, 0.01, 15.0),
    ],
)
def test_what_failing_costs_and_who_is_turned_away_say_how_often_it_is_probed(
    seconds, rate, interval
):
    assert probe_interval(RULES, seconds, rate) == pytest.approx(interval)


@given(
    seconds=st.floats(0, 1000), rate=st.floats(0, 1e6), longest=st.sampled_from([0.05, 3.0, 60.0])
)
def test_an_interval_is_never_shorter_than_a_second_nor_longer_than_the_setting(
    seconds, rate, longest
):
    rules = BreakerSettings(recovery_timeout_seconds=longest)
    assert min(1.0, longest) <= probe_interval(rules, seconds, rate) <= longest


# Turns of the targets


def probes_of(
    route: Route, *, rate: float, seconds: float, takes: float
) -> list[tuple[float, str]]:
    """Every probe while everything stays down, with ``rate`` requests a second."""
    found, flying = [], []
    ends = route.now + seconds
    while route.now < ends:
        route.now += 1.0 / rate
        while flying and min(flying, key=itemgetter(0))[0] <= route.now:
            at, permit = flying.pop(flying.index(min(flying, key=itemgetter(0))))
            route.guards.finish(permit, VERDICTS["overloaded"], at)
        caller = route.caller()
        for target in CHAIN:
            permit = route.admit(target, caller)
            if isinstance(permit, Permit):
                found.append((route.now, target.model))
                seconds = takes.get(target.model, 0.015) if isinstance(takes, dict) else takes
                flying.append((route.now + seconds, permit))
    return found


@pytest.mark.parametrize(("rate", "interval"), [(20.0, 2.5), (200.0, 1.0), (1.0, 5.0)])
def test_open_targets_are_probed_in_turn(rate, interval):
    route = Route()
    route.trip(*CHAIN)
    probes = probes_of(route, rate=rate, seconds=300.0, takes=0.015)
    gaps = [b - a for (a, _), (b, _) in pairwise(probes)][12:]
    assert interval / 3 <= min(gaps)
    assert sum(gaps) / len(gaps) <= interval / 3 * 1.1 + 2.0 / rate
    shares = Counter(model for _, model in probes)
    assert max(shares.values()) - min(shares.values()) <= 0.1 * len(probes)


def test_one_whose_failing_costs_much_has_its_turn_among_those_whose_costs_nothing():
    route = Route()
    route.trip(OPUS, HAIKU)
    route.trip(SONNET, seconds=4.0)
    probes = probes_of(route, rate=20.0, seconds=120.0, takes={SONNET.model: 4.0})
    at = [at for at, model in probes if model == SONNET.model]
    assert len(at) >= 7
    assert all(12.0 <= b - a <= 20.0 for a, b in pairwise(at))


def test_a_probe_in_flight_holds_the_next_back_for_a_second_at_most():
    route = Route()
    route.trip(*CHAIN)
    probes = probes_of(route, rate=200.0, seconds=6.0, takes=4.0)
    gaps = [b - a for (a, _), (b, _) in pairwise(probes)]
    assert all(1.0 <= gap <= 1.02 for gap in gaps[:2]), gaps
    assert len({model for _, model in probes[:3]}) == 3


def test_a_request_probes_one_target_and_is_told_of_the_others():
    route = Route()
    route.trip(*CHAIN)
    route.admit(OPUS)
    route.now += 60.0
    caller = route.caller()
    answers = [route.admit(target, caller) for target in CHAIN]
    assert [type(one) for one in answers] == [Permit, Refusal, Refusal]
    assert {one.why for one in answers[1:]} == {"open"}


def test_fixed_each_target_has_its_own_time_and_a_request_may_probe_them_all():
    route = Route(recovery="fixed", recovery_timeout_seconds=10.0)
    route.trip(*CHAIN)
    route.now += 10.0
    caller = route.caller()
    assert all(isinstance(route.admit(target, caller), Permit) for target in CHAIN)


def test_a_target_that_nobody_asked_for_meanwhile_is_probed_by_the_next():
    route = Route()
    route.trip(OPUS)
    route.now += 60.0
    assert isinstance(route.admit(OPUS), Permit)


def test_a_lease_that_was_granted_does_not_hold_back_its_own_probe():
    route = Route()
    route.trip(OPUS)
    route.now += 20.0
    opened, half = CircuitState.OPEN, CircuitState.HALF_OPEN
    route.recovery.changed(OPUS.circuit, Transition(opened, half, "granted"), route.now)
    assert isinstance(route.admit(OPUS), Permit)


@pytest.mark.parametrize("recovery", ["fixed", "adaptive"])
def test_it_starts_slowly_however_it_was_probed(recovery):
    route = Route(recovery=recovery)
    route.trip(OPUS)
    route.close(OPUS)
    assert isinstance(route.admit(OPUS), Permit)
    assert isinstance(route.admit(OPUS), Refusal)


def test_where_it_is_only_counted_nothing_is_held_back():
    route = Route(metrics_only=True)
    route.trip(OPUS)
    permits = [route.admit(OPUS) for _ in range(10)]
    assert all(isinstance(permit, Permit) for permit in permits)
    for permit in permits:
        permit.finish(Outcome.SUCCESS, route.now)
    assert route.guards.of(OPUS).breaker.state is CircuitState.CLOSED
    assert all(isinstance(route.admit(OPUS), Permit) for _ in range(50))


# Waiting for a probe


def test_at_most_twenty_or_two_seconds_of_the_first_rate_wait_for_a_probe():
    for rate, most in ((1, 20), (200, 200)):
        route = Route()
        route.trip(OPUS)
        route.admit(OPUS)
        for number in range(10 * rate):
            route.now = NOW + 10.0 * number / (10 * rate)
            route.caller()
        route.now = NOW + 10.0
        assert isinstance(route.admit(OPUS), Permit)
        callers = [Caller(None, route.answered, route.recovery) for _ in range(most + 50)]
        waits = [one.await_probe(OPUS.circuit, route.now) for one in callers]
        waiting = sum(until is not None for until in waits)
        assert waiting == pytest.approx(most, rel=0.15)
        assert waiting == route.recovery.waiting
        assert {until for until in waits if until is not None} == {route.now + 2.0}
        for caller, until in zip(callers, waits, strict=True):
            if until is not None:
                caller.stop_waiting()
        assert route.recovery.waiting == 0


def test_a_probe_of_a_quick_target_is_not_waited_for_longer_than_it_takes():
    route = Route()
    route.trip(OPUS)
    route.admit(OPUS)
    learned = route.guards.of(OPUS).contents.of(thinks=False)
    for _ in range(300):
        learned.answered(0.03, NOW, epoch=learned.epoch)
    route.now += 20.0
    assert isinstance(route.admit(OPUS), Permit)
    until = route.caller().await_probe(OPUS.circuit, route.now)
    assert until == pytest.approx(route.now + 0.06, rel=0.05)


def test_one_probe_is_waited_for_and_no_other():
    route = Route()
    route.trip(OPUS)
    route.admit(OPUS)
    route.now += 20.0
    permit = route.admit(OPUS)
    caller = route.caller()
    assert caller.await_probe(OPUS.circuit, route.now) == route.now + 2.0
    permit.finish(Outcome.FAILURE, route.now + 0.1)
    assert caller.await_probe(OPUS.circuit, route.now + 0.1) is None
    route.now += 20.0
    assert isinstance(route.admit(OPUS), Permit)
    assert caller.await_probe(OPUS.circuit, route.now) is None


def void_probe(route, seconds=0.3):
    """A probe whose caller leaves, with somebody who waited for it."""
    permit, waits = route.admit(OPUS), route.caller()
    assert isinstance(permit, Permit)
    assert waits.await_probe(OPUS.circuit, route.now) is not None
    route.now += seconds
    permit.finish(Outcome.NEUTRAL, route.now)
    return waits


@pytest.mark.parametrize("slow", [0.015, 15.0])
def test_a_probe_that_taught_nothing_is_followed_by_another_within_a_second(slow):
    route = Route()
    route.trip(OPUS, SONNET, seconds=slow)
    route.admit(OPUS)
    route.now += 20.0
    void_probe(route)
    assert isinstance(route.admit(OPUS), Refusal)
    route.now += 0.9
    assert isinstance(route.admit(OPUS), Permit)


def test_a_probe_that_was_silent_for_long_has_taught_something():
    """Its caller would not wait: were another due at once, the next would wait as long in vain."""
    route = Route()
    route.trip(OPUS, seconds=15.0)
    route.admit(OPUS)
    route.now += 20.0
    void_probe(route, 2.0)
    for _ in range(12):
        assert isinstance(route.admit(OPUS), Refusal)
        route.now += 1.0


def test_who_waited_for_a_probe_that_taught_nothing_may_wait_for_the_next():
    route = Route()
    route.trip(OPUS)
    route.admit(OPUS)
    route.now += 20.0
    waits = void_probe(route)
    route.now += 0.9
    assert isinstance(route.admit(OPUS), Permit)
    assert waits.await_probe(OPUS.circuit, route.now) == route.now + 2.0


def test_a_wait_that_ends_late_makes_no_room_in_the_next_probe():
    route = Route()
    route.trip(OPUS)
    route.admit(OPUS)
    route.now += 20.0
    waits = void_probe(route)
    route.now += 0.9
    assert isinstance(route.admit(OPUS), Permit)
    assert route.caller().await_probe(OPUS.circuit, route.now) is not None
    waits.stop_waiting()
    assert route.recovery.waiting == 1


def test_the_late_end_of_a_probe_that_succeeded_hides_no_later_one():
    """It closes the breaker at its first content, and its answer may take a minute more."""
    route = Route(success_threshold=3)
    route.trip(OPUS)
    route.admit(OPUS)
    route.now += 20.0
    long = route.admit(OPUS)
    long.first_content(route.now)
    route.now += 1.0
    route.guards.finish(route.admit(OPUS), VERDICTS["overloaded"], route.now)
    assert route.guards.of(OPUS).breaker.state is CircuitState.OPEN
    route.admit(OPUS)
    route.now += 20.0
    assert isinstance(route.admit(OPUS), Permit)
    long.finish(Outcome.SUCCESS, route.now)
    assert route.caller().await_probe(OPUS.circuit, route.now) is not None


def test_what_hung_from_before_an_opening_delays_no_probe():
    """A model that hangs first and then fails at once: the timers end the old calls much later."""
    route = Route()
    hung = [route.admit(OPUS) for _ in range(3)]
    for _ in range(30):
        route.now += 0.05
        permit = route.admit(OPUS)
        if isinstance(permit, Permit):
            route.guards.finish(permit, VERDICTS["overloaded"], route.now + 0.01)
    breaker = route.guards.of(OPUS).breaker
    assert breaker.state is CircuitState.OPEN
    before = route.recovery.hold_back(OPUS.circuit, breaker, route.now)
    for permit in hung:
        route.guards.finish(permit, VERDICTS["no_answer"], route.now)
    assert route.recovery.hold_back(OPUS.circuit, breaker, route.now) == before


def test_fixed_probes_keep_their_distance_where_another_process_opens_for_less():
    route = Route(recovery="fixed", recovery_timeout_seconds=60.0)
    other = Route()
    other.trip(OPUS)
    breaker = other.guards.of(OPUS).breaker
    assert route.recovery.hold_back(OPUS.circuit, breaker, NOW) is None
    route.recovery.probe_began(OPUS.circuit, breaker, NOW, None)
    assert route.recovery.hold_back(OPUS.circuit, breaker, NOW + 59.0) == NOW + 60.0
    assert route.recovery.hold_back(OPUS.circuit, breaker, NOW + 60.0) is None


def test_to_be_refused_costs_little_however_many_targets_are_open():
    """A request that finds all of them open looks at each a few times, and not at all for each."""
    route = Route()
    targets = [make_target(f"model-{number}") for number in range(30)]
    route.trip(*targets)
    for one in targets:
        route.guards.of(one).breaker.last_failure = VERDICTS["overloaded"]
    looks = Counter()
    peek = route.guards.peek

    def counted(one, now, caller=None):
        looks[one.id] += 1
        return peek(one, now, caller)

    route.guards.peek = counted
    route.now += 0.01
    plan = Plan(
        targets,
        RequestTimes(route.now, route.now + 60.0, route.now + 60.0, route.now + 600.0),
        retry=route.settings.retry,
        timers=route.settings.timers,
        budget=RetryBudget(route.settings.retry, route.demand, most_waiting=10),
        guards=route.guards,
        caller=route.caller(),
        rng=Random(1),
    )
    command = plan.next(Started(), route.now)
    while isinstance(command, Call):
        refusal = route.guards.of(command.target).admit(
            route.now, lease_seconds=20.0, caller=route.caller()
        )
        assert isinstance(refusal, Refusal)
        command = plan.next(Refused(refusal), route.now)
    assert isinstance(command, GiveUp)
    assert max(looks.values()) <= 3


# The slow start


def test_it_begins_at_half_of_the_demand_and_doubles_each_second():
    slow = SlowStart(NOW, 200.0, 0, {"a"})
    assert [slow.rate(NOW + second) for second in (0, 1, 2, 9)] == [100.0, 200.0, 350.0, 350.0]
    quiet = SlowStart(NOW, 0.1, 0, {"a"})
    assert [quiet.rate(NOW + second) for second in (0, 1)] == [5.0, 8.75]
    again = SlowStart(NOW, 200.0, 2, {"a"})
    assert [again.rate(NOW + second) for second in (0, 2.25)] == [25.0, 50.0]


def test_what_closes_while_it_lasts_joins_it_and_what_was_never_open_is_free():
    route = Route()
    route.trip(OPUS, SONNET)
    route.admit(SONNET)
    route.close(OPUS)
    slow = route.recovery.slow_start
    assert slow is not None
    route.guards.of(SONNET).breaker.restore()
    assert slow.members == {OPUS.circuit}, "by hand it starts at once"
    assert isinstance(route.admit(OPUS), Permit)
    held = route.admit(OPUS)
    assert isinstance(held, Refusal)
    assert held.why == "slow_start"
    assert isinstance(route.admit(SONNET), Permit)


def test_one_of_them_that_opens_again_voids_the_turns_and_not_the_start():
    route = Route()
    route.trip(OPUS, SONNET)
    route.admit(SONNET)
    route.close(OPUS)
    half, closed = CircuitState.HALF_OPEN, CircuitState.CLOSED
    route.recovery.changed(SONNET.circuit, Transition(half, closed, "elsewhere"), route.now)
    assert route.recovery.slow_start.members == {OPUS.circuit, SONNET.circuit}
    caller = route.caller()
    assert route.recovery.pass_now(SONNET.circuit, route.now) is None
    assert caller.reserve(SONNET.circuit, route.now) is not None
    rate = route.recovery.slow_start.rate(route.now)
    route.trip(OPUS)
    assert route.recovery.slow_start.members == {SONNET.circuit}
    assert route.recovery.slow_start.rate(route.now) == rate
    assert caller.turn_at(SONNET.circuit, route.now) is None, "its turn was void: it asks anew"


def test_what_closes_after_a_start_is_over_has_a_start_of_its_own():
    route = Route()
    route.trip(OPUS)
    route.close(OPUS)
    route.now += 3600.0
    route.trip(SONNET)
    route.close(SONNET)
    assert route.recovery.slow_start.members == {SONNET.circuit}
    assert route.recovery.slow_start.rate(route.now) == 5.0


def test_an_opening_soon_after_makes_the_next_start_slower_and_one_late_does_not():
    route = Route()
    rates = []
    for wait in (1.0, 1.0, 30.0):
        route.trip(OPUS)
        route.close(OPUS)
        rates.append(route.recovery.slow_start.rate(route.now))
        route.now += wait
    route.trip(OPUS)
    route.close(OPUS)
    assert [*rates, route.recovery.slow_start.rate(route.now)] == [5.0, 2.5, 1.25, 5.0]


class SlowStartMachine(RuleBasedStateMachine):
    """Requests take turns in a slow start, hold them, use them, and give them back."""

    @initialize(rate=st.sampled_from([0.0, 3.0, 20.0, 500.0]), failed=st.integers(0, 6))
    def begin(self, rate, failed):
        self.route = Route()
        self.route.trip(OPUS)
        self.route.close(OPUS)
        self.slow = SlowStart(self.route.now, rate, failed, {OPUS.circuit})
        self.route.recovery.slow_start = self.slow
        self.began = self.route.now
        self.holders = []
        self.granted = []
        self.passed = []

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 1.0, 4.0]))
    def pass_time(self, seconds):
        self.route.now += seconds

    @rule()
    def come(self):
        caller = Caller(None, self.route.answered, self.route.recovery)
        until = caller.turn_at(OPUS.circuit, self.route.now)
        assert until is None or until > self.route.now
        if caller.pass_now(OPUS.circuit, self.route.now) is None:
            self.passed.append(self.route.now)
            return
        turn = caller.reserve(OPUS.circuit, self.route.now)
        if turn is None:
            assert until > self.route.now + 2.0
            return
        assert self.route.now <= turn <= self.route.now + 2.0
        assert caller.reserve(OPUS.circuit, self.route.now) == turn
        assert turn not in [held for _, held in self.holders], "granted twice"
        self.holders.append((caller, turn))

    @precondition(lambda self: self.holders)
    @rule()
    def use(self):
        caller, turn = self.holders.pop(0)
        self.route.now = max(self.route.now, turn)
        assert caller.pass_now(OPUS.circuit, self.route.now) is None
        self.passed.append(self.route.now)

    @precondition(lambda self: self.holders)
    @rule(pick=st.integers(0, 99))
    def give_back(self, pick):
        caller, _ = self.holders.pop(pick % len(self.holders))
        caller.give_back()
        caller.give_back()

    @rule()
    def open_again(self):
        self.route.trip(OPUS)
        for caller, _ in self.holders:
            assert caller.turn_at(OPUS.circuit, self.route.now) is None, "void: it asks anew"
        self.begin(20.0, 0)

    @invariant()
    def never_more_than_the_rate(self):
        if not getattr(self, "passed", None) or self.route.recovery.slow_start is not self.slow:
            return
        for second in range(5):
            since = self.began + second
            within = sum(since <= at < since + 1.0 for at in self.passed)
            assert within <= 2.0 * self.slow.rate(since + 1.0) + 2


TestSlowStartMachine = SlowStartMachine.TestCase
