"""Turns for retries: never more than the bucket holds, never twice, never in the past."""

from collections import Counter
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from failsoft.config.settings import RetrySettings
from failsoft.policy.pacing import Demand, RetryBudget

NOW = 1000.0


def budget(*, ratio: float = 0.5, floor: float = 0.0, most_waiting: int = 10_000) -> RetryBudget:
    return RetryBudget(
        RetrySettings(budget_ratio=ratio, budget_floor_per_second=floor),
        Demand(10),
        most_waiting=most_waiting,
    )


def at_once(one: RetryBudget, now: float, most: int = 2000) -> int:
    """How many retries may begin at ``now``; they do."""
    for begun in range(most):
        turn = one.take(now, now)
        if turn is None or turn > now:
            return begun
        one.start(now)
    return most


def asked(one: RetryBudget, rate: int, *, seconds: int = 20) -> float:
    """Ask so often a second, and return the end of it."""
    for number in range(rate * seconds):
        one.demand.count(NOW + number / rate)
    return NOW + seconds


def test_half_of_the_requests_may_be_retries_and_ten_seconds_of_them_are_saved_up():
    half = budget()
    now = asked(half, 20)
    assert at_once(half, now) == pytest.approx(100, abs=6)
    assert half.ratio(now) == pytest.approx(0.5, abs=0.07)
    turns = [half.take(now, now) for _ in range(20)]
    assert turns[-1] == pytest.approx(now + 2.0, abs=0.3)  # ten a second


def test_a_quiet_service_has_its_floor():
    floor = budget(floor=3.0)
    floor.demand.count(NOW)
    assert at_once(floor, NOW) == pytest.approx(30, abs=1)


def test_a_service_that_opens_with_a_burst_has_a_rate_by_its_age():
    young = budget(floor=3.0)
    for _ in range(1000):
        young.demand.count(NOW)
    assert at_once(young, NOW + 0.1, most=6000) > 4000
    aged = budget(floor=3.0)
    for _ in range(1000):
        aged.demand.count(NOW)
    assert at_once(aged, NOW + 9.0, most=6000) == pytest.approx(1000 / 2 / 9 * 10, rel=0.1)


def test_nothing_saved_up_in_an_idle_hour_can_be_spent():
    saved = budget()
    now = asked(saved, 100)
    assert saved.take(now, now) == now
    assert saved.take(now + 3600, now + 3600) is None
    assert saved.ratio(now + 3600) == 0.0


def test_what_was_spent_before_an_idle_hour_is_no_longer_owed():
    spent = budget(floor=1.0)
    assert at_once(spent, NOW) == at_once(spent, NOW + 3600) >= 10


def test_a_turn_is_not_before_the_retry_is_ready():
    assert budget(floor=1.0).take(NOW + 5, NOW) == NOW + 5


def test_a_turn_that_is_given_back_is_given_out_again_once():
    one = budget(floor=1.0)
    at_once(one, NOW)
    late = one.take(NOW, NOW)
    later = one.take(NOW, NOW)
    one.give_back(late)
    assert one.take(NOW, NOW) == late
    assert one.take(NOW, NOW) > later


def test_so_many_wait_and_no_more():
    one = budget(floor=3.0, most_waiting=2)
    first, _ = one.take(NOW, NOW), one.take(NOW, NOW)
    assert one.crowded
    one.give_back(first)
    assert not one.crowded


def test_threads_cannot_overdraw_it():
    shared = budget(floor=10.0)
    turns: list[float] = []

    def work() -> None:
        turns.extend(shared.take(NOW, NOW) for _ in range(50))

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns.count(NOW) == pytest.approx(100, abs=1)


class Turns(RuleBasedStateMachine):
    """Retries take turns, begin them, give them back, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.budget = budget(floor=2.0, most_waiting=50)
        self.out: list[float] = []
        self.returned: Counter[float] = Counter()
        self.begun: list[float] = []
        self.requests: list[float] = []

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 12.0]))
    def time_goes_on(self, seconds):
        self.now += seconds

    @rule(count=st.integers(1, 30))
    def requests_come(self, count):
        for _ in range(count):
            self.budget.demand.count(self.now)
        self.requests += [self.now] * count

    @precondition(lambda self: not self.budget.crowded)
    @rule(ahead=st.sampled_from([0.0, 0.5, 3.0]))
    def one_is_taken(self, ahead):
        turn = self.budget.take(self.now + ahead, self.now)
        assert turn is not None
        assert turn >= self.now + ahead
        self.out.append(turn)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def one_is_given_back(self, data):
        self.budget.give_back(self.out.pop(data.draw(st.integers(0, len(self.out) - 1))))

    @precondition(lambda self: any(turn <= self.now for turn in self.out))
    @rule()
    def one_begins(self):
        turn = next(turn for turn in self.out if turn <= self.now)
        self.out.remove(turn)
        self.budget.start(self.now)
        self.begun.append(turn)

    @invariant()
    def no_more_begin_than_the_bucket_has_let_through(self):
        """In any time, what it holds and what flows in at the highest rate there was."""
        turns = sorted([*self.begun, *self.out])
        rate = max(2.0, 0.5 * len(self.requests))
        for first in range(0, len(turns), 7):
            for last in range(first, len(turns)):
                span = turns[last] - turns[first]
                assert last - first <= rate * (span + 10.0) + 1

    @invariant()
    def as_many_wait_as_are_out(self):
        assert self.budget._waiting == len(self.out)


TestTurns = Turns.TestCase


@given(ratio=st.sampled_from([0.0, 0.5]), floor=st.sampled_from([0.0, 3.0]))
def test_a_budget_of_nothing_has_no_turns(ratio, floor):
    turn = budget(ratio=ratio, floor=floor).take(NOW, NOW)
    assert (turn is None) is (floor == 0.0)
