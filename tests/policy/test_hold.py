"""Benches and parks of one scope."""

from random import Random
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from policy_verdicts import verdict

from failsoft.config.settings import RetrySettings
from failsoft.policy.bench import Bench, Lease, Refusal

T0 = 1000.0
LIMITED, DEAD_KEY = verdict("requests"), verdict("authentication")


class Dice(Random):
    """Dice that always show the same."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value


def bench(*, ramp: float = 10.0, rng: Random | None = None, **settings: Any) -> Bench:
    return Bench("account a", RetrySettings(**settings), ramp_seconds=ramp, rng=rng or Random(0))


def admit(one: Bench, now: float) -> Lease | Refusal | None:
    return one.admit(now, lease_seconds=20.0)


def refused(one: Bench, now: float) -> Refusal:
    answer = admit(one, now)
    assert isinstance(answer, Refusal), answer
    return answer


def probe(one: Bench, now: float) -> Lease:
    answer = admit(one, now)
    assert isinstance(answer, Lease), answer
    return answer


def test_an_idle_hold_lets_everything_pass():
    one = bench()
    assert not one.active
    assert one.peek(T0) is None
    assert admit(one, T0) is None


# Benches


def test_a_bench_keeps_out_until_its_end_and_names_its_verdict():
    one = bench()
    assert one.bench(T0, 30.0, LIMITED) == 30.0
    for now in (T0, T0 + 15, T0 + 29.99):
        assert refused(one, now) == Refusal("bench", T0 + 30, LIMITED) == one.peek(now)
    assert one.peek(T0 + 30) is None


@given(
    benches=st.lists(
        st.tuples(st.floats(0, 200), st.sampled_from([0.0, 0.5, 10.0, 171.0, 899.0, 900.0])),
        min_size=1,
        max_size=15,
    )
)
@hypothesis_settings(max_examples=60)
def test_a_bench_is_extended_never_shortened(benches):
    one, now, until = bench(), T0, 0.0
    for advance, seconds in benches:
        now += advance
        granted = one.bench(now, seconds, LIMITED)
        if seconds and now + seconds > until:
            assert granted == seconds
            until = now + seconds
        else:
            assert granted is None
        if until:
            assert one.until == until
        assert (one.peek(now) is not None) is (now < until)


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e9])
def test_a_wait_that_is_over_benches_nothing(seconds):
    one = bench()
    assert one.bench(T0, seconds, LIMITED) is None
    assert not one.active


@pytest.mark.parametrize("seconds", [901.0, 3600.0, 30 * 86_400.0, float("inf")])
def test_a_bench_is_cut_at_fifteen_minutes_and_ends_with_one_probe(seconds):
    one = bench()
    assert one.bench(T0, seconds, LIMITED) == 900.0
    assert refused(one, T0 + 899).until == T0 + 900
    lease = probe(one, T0 + 900)
    assert all(isinstance(admit(one, T0 + 901), Refusal) for _ in range(50))
    one.done(lease, T0 + 901, well=True)
    assert admit(one, T0 + 901) is None
    assert admit(one, T0 + 911) is None
    assert not one.active


def test_a_bench_of_its_whole_time_needs_no_probe():
    one = bench(ramp=0)
    one.bench(T0, 900.0, LIMITED)
    assert all(admit(one, T0 + 900) is None for _ in range(10))


def test_a_probe_that_is_benched_again_probes_again():
    one = bench()
    one.bench(T0, 3600.0, LIMITED)
    lease = probe(one, T0 + 900)
    one.bench(T0 + 901, 3600.0, LIMITED)
    one.done(lease, T0 + 901, well=None)
    assert refused(one, T0 + 1800).until == T0 + 1801
    probe(one, T0 + 1801)


def test_the_slow_start_lets_a_growing_share_through():
    one, shares = bench(), []
    one.bench(T0, 30.0, LIMITED)
    for second in range(10):
        now = T0 + 30 + second + 0.5
        answers = [admit(one, now) for _ in range(400)]
        shares.append(sum(answer is None for answer in answers) / 400)
        held = [answer for answer in answers if isinstance(answer, Refusal)]
        assert {answer.why for answer in held} <= {"ramp"}
        assert all(now <= answer.until <= now + 10 for answer in held)
    for second, share in enumerate(shares):
        assert share == pytest.approx((second + 0.5) / 10, abs=0.1)
    assert all(admit(one, T0 + 40) is None for _ in range(50))
    assert not one.active


@pytest.mark.parametrize("seconds", [0.5, 2.0, 9.0, 10.0, 60.0])
def test_the_slow_start_is_not_longer_than_the_bench(seconds):
    one = bench(rng=Dice(0.999999))
    one.bench(T0, seconds, LIMITED)
    ramp = min(10.0, seconds)
    nearly = T0 + seconds + ramp * 0.9
    answers = [admit(one, nearly) for _ in range(20)]
    assert sum(isinstance(answer, Refusal) for answer in answers) >= 19
    assert all(admit(one, T0 + seconds + ramp) is None for _ in range(20))


def test_a_quiet_service_is_never_held_back_by_a_slow_start():
    one = bench(rng=Dice(0.999999))
    one.bench(T0, 30.0, LIMITED)
    assert all(admit(one, T0 + 31 + second) is None for second in range(12))


def test_a_slow_start_is_overtaken_by_a_new_bench():
    one = bench()
    one.bench(T0, 30.0, LIMITED)
    admit(one, T0 + 31)
    one.bench(T0 + 32, 30.0, LIMITED)
    assert refused(one, T0 + 61) == Refusal("bench", T0 + 62, LIMITED)


# Parks


def test_a_park_doubles_from_five_minutes_to_an_hour_with_one_probe_each():
    one, now = bench(), T0
    for seconds in (300, 600, 1200, 2400, 3600, 3600, 3600):
        assert one.park(now, DEAD_KEY) == seconds
        assert refused(one, now + seconds - 1) == Refusal("park", now + seconds, DEAD_KEY)
        now += seconds
        lease = probe(one, now)
        assert isinstance(admit(one, now), Refusal)
        one.done(lease, now, well=None)


def test_concurrent_failures_park_once():
    one = bench()
    assert one.park(T0, DEAD_KEY) == 300
    for late in range(100):
        assert one.park(T0 + late, DEAD_KEY) is None
    assert one.until == T0 + 300


def test_concurrent_failures_in_threads_park_once():
    one, parked, barrier = bench(), [], Barrier(8)

    def fail() -> None:
        barrier.wait()
        parked.append(one.park(T0, DEAD_KEY))

    threads = [Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seconds for seconds in parked if seconds) == [300]


def test_a_mended_account_comes_back_without_a_restart_and_starts_at_five_minutes_again():
    one = bench()
    one.park(T0, DEAD_KEY)
    one.done(probe(one, T0 + 300), T0 + 300, well=None)
    one.park(T0 + 301, DEAD_KEY)
    one.done(probe(one, T0 + 901), T0 + 902, well=True)
    assert one.peek(T0 + 902) is None
    assert all(admit(one, T0 + 912) is None for _ in range(20))
    assert not one.active
    assert one.park(T0 + 5000, DEAD_KEY) == 300


@pytest.mark.parametrize(
    "out", [lambda one: one.park(T0, DEAD_KEY), lambda one: one.bench(T0, 3600.0, LIMITED)]
)
def test_after_its_probe_a_scope_that_is_well_starts_slowly(out):
    one = bench()
    out(one)
    back = one.until
    one.done(probe(one, back), back, well=True)
    shares = []
    for second in range(10):
        answers = [admit(one, back + second + 0.5) for _ in range(400)]
        shares.append(sum(answer is None for answer in answers) / 400)
    for second, share in enumerate(shares):
        assert share == pytest.approx((second + 0.5) / 10, abs=0.1)


def test_a_park_replaces_a_bench_and_ends_no_sooner():
    one = bench()
    one.bench(T0, 30.0, LIMITED)
    assert one.park(T0 + 1, DEAD_KEY) == 300
    assert one.until == T0 + 301
    late = bench()
    late.bench(T0, 800.0, LIMITED)
    late.park(T0 + 1, DEAD_KEY)
    assert late.until == T0 + 800
    probe(late, T0 + 800)


def test_a_probe_that_learnt_nothing_lets_the_next_one_go():
    one = bench()
    one.park(T0, DEAD_KEY)
    one.done(probe(one, T0 + 300), T0 + 300, well=None)
    probe(one, T0 + 300)


def test_a_hung_probe_is_replaced_when_its_lease_ends():
    one = bench()
    one.park(T0, DEAD_KEY)
    hung = probe(one, T0 + 300)
    assert refused(one, T0 + 319).until == T0 + 320
    replaced = probe(one, T0 + 320)
    one.done(hung, T0 + 321, well=True)
    assert one.active, "a probe that lost its lease says nothing"
    one.done(replaced, T0 + 321, well=True)
    assert [admit(one, T0 + 331) for _ in range(3)] == [None] * 3


def test_a_probe_given_back_twice_frees_no_second_place():
    one = bench()
    one.park(T0, DEAD_KEY)
    lease = probe(one, T0 + 300)
    one.done(lease, T0 + 300, well=None)
    probe(one, T0 + 300)
    one.done(lease, T0 + 300, well=None)
    assert isinstance(admit(one, T0 + 300), Refusal)


def test_a_probe_of_before_a_new_park_does_not_end_it():
    one = bench()
    one.park(T0, DEAD_KEY)
    lease = probe(one, T0 + 300)
    one.park(T0 + 301, DEAD_KEY)
    one.done(lease, T0 + 302, well=True)
    assert refused(one, T0 + 302).why == "park"


def test_a_park_overtaken_by_a_longer_bench_still_owes_its_probe():
    one = bench()
    one.park(T0, DEAD_KEY)
    assert one.bench(T0 + 1, 30.0, LIMITED) is None
    assert one.bench(T0 + 1, 600.0, LIMITED) == 600.0
    assert one.until == T0 + 601
    probe(one, T0 + 601)


def test_released_by_hand_it_lets_everything_pass_at_once():
    one = bench()
    one.park(T0, DEAD_KEY)
    one.release()
    assert all(admit(one, T0 + 1) is None for _ in range(10))
    assert one.park(T0 + 2, DEAD_KEY) == 300


def test_peeking_takes_nothing():
    one = bench()
    one.park(T0, DEAD_KEY)
    assert [one.peek(T0 + 300) for _ in range(5)] == [None] * 5
    lease = probe(one, T0 + 300)
    assert all(one.peek(T0 + 301) == Refusal("park", lease.expires_at, DEAD_KEY) for _ in range(5))
    assert one.peek(lease.expires_at) is None


def test_only_a_bench_and_a_slow_start_are_worth_waiting_for():
    words = ("open", "half_open", "isolated", "ramp", "bench", "park", "full")
    assert [why for why in words if Refusal(why, T0, None).passes_soon] == ["ramp", "bench"]
