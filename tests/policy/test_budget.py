"""The retry budget against a plain list."""

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.config.settings import RetrySettings
from failsoft.policy.plan import RetryBudget

NOW = 1000.0


def budget(*, ratio: float = 0.5, floor: float = 0.0, window: int = 10) -> RetryBudget:
    return RetryBudget(
        RetrySettings(
            budget_ratio=ratio, budget_floor_per_second=floor, budget_window_seconds=window
        )
    )


@given(
    ratio=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    floor=st.sampled_from([0.0, 0.3, 3.0]),
    steps=st.lists(
        st.tuples(st.sampled_from([0.0, 0.3, 1.0, 7.0, 50.0]), st.booleans()), max_size=80
    ),
)
def test_it_agrees_with_a_list(ratio, floor, steps):
    budgeted = budget(ratio=ratio, floor=floor)
    requests: list[int] = []
    retries: list[int] = []
    now = NOW
    for advance, is_retry in steps:
        now += advance
        second = int(now)
        recent = sum(1 for at in requests if at > second - 10)
        spent = sum(1 for at in retries if at > second - 10)
        allowed = spent < max(10 * floor, ratio * recent)
        assert budgeted.available(now) is allowed
        if is_retry:
            assert budgeted.spend(now) is allowed
            retries += [second] if allowed else []
        else:
            budgeted.request(now)
            requests.append(second)


def test_asking_spends_nothing():
    one = budget(floor=0.1)
    assert [one.available(NOW) for _ in range(5)] == [True] * 5
    assert one.spend(NOW)
    assert not one.available(NOW)
    assert not one.spend(NOW)


def test_half_of_the_requests_may_be_retries():
    half = budget()
    for _ in range(100):
        half.request(NOW)
    assert sum(half.spend(NOW) for _ in range(100)) == 50
    assert half.ratio(NOW) == pytest.approx(0.5)


def test_a_quiet_service_has_its_floor():
    floor = budget(floor=3.0)
    floor.request(NOW)
    assert sum(floor.spend(NOW) for _ in range(100)) == 30


def test_nothing_saved_up_in_an_idle_hour_can_be_spent():
    saved = budget()
    for _ in range(1000):
        saved.request(NOW)
    assert saved.available(NOW)
    assert not saved.available(NOW + 3600)
    assert saved.ratio(NOW + 3600) == 0.0


def test_nothing_spent_before_an_idle_hour_is_still_owed():
    spent = budget(floor=1.0)
    assert sum(spent.spend(NOW) for _ in range(20)) == 10
    assert sum(spent.spend(NOW + 3600) for _ in range(20)) == 10


def test_threads_cannot_overdraw_it():
    shared = budget(floor=10.0)
    spent: list[bool] = []

    def work() -> None:
        spent.extend(shared.spend(NOW) for _ in range(50))

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(spent) == 100
