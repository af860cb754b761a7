"""Waits: the cap comes before the jitter, and a provider's wait is a floor."""

import math
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.policy.retry import backoff_seconds, with_upward_jitter

SECONDS = st.floats(0, 86_400)


class Extreme(Random):
    """Dice that always land at one end."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value


HIGHEST = math.nextafter(1.0, 0.0)


@given(retry=st.integers(-5, 10_000), base=SECONDS, cap=SECONDS, seed=st.integers(0, 99))
def test_full_jitter_stays_between_zero_and_the_capped_ceiling(retry, base, cap, seed):
    wait = backoff_seconds(retry, base=base, cap=cap, rng=Random(seed))
    ceiling = base * 2.0 ** max(retry, 0) if retry < 30 else math.inf
    assert 0 <= wait <= cap
    assert wait <= ceiling


@pytest.mark.parametrize(
    ("retry", "ceiling"), [(0, 1), (1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (7, 60), (500, 60)]
)
def test_the_ceiling_doubles_up_to_the_cap(retry, ceiling):
    wait = backoff_seconds(retry, base=1, cap=60, rng=Extreme(HIGHEST))
    assert wait == pytest.approx(ceiling)


@pytest.mark.parametrize("retry", [31, 64, 1023, 1024, 5000, 10**9])
def test_no_retry_number_overflows(retry):
    assert math.isfinite(backoff_seconds(retry, base=86_400, cap=86_400, rng=Random(0)))


def test_long_waits_stay_spread_once_the_cap_is_reached():
    """Jitter before the cap would let half of them collapse to the cap itself."""
    rng = Random(1)
    waits = [backoff_seconds(20, base=1, cap=60, rng=rng) for _ in range(2000)]
    assert len(set(waits)) == len(waits)
    assert fmean(waits) == pytest.approx(30, rel=0.05)
    assert min(waits) < 3
    assert max(waits) > 57


def test_every_retry_number_is_drawn_anew():
    """No iterator is shared between calls: the same number can be asked for again."""
    one, two = Random(7), Random(7)
    first = [backoff_seconds(n, base=1, cap=60, rng=one) for n in (0, 1, 0, 1)]
    assert first == [backoff_seconds(n, base=1, cap=60, rng=two) for n in (0, 1, 0, 1)]
    assert first[0] != first[2]


@given(retry=st.integers(0, 40), seed=st.integers(0, 99))
def test_quarter_jitter_is_a_quarter_around_the_backoff(retry, seed):
    wait = backoff_seconds(retry, base=1, cap=60, rng=Random(seed), jitter="quarter")
    ceiling = min(60, 2.0**retry)
    assert 0.75 * ceiling <= wait <= 1.25 * ceiling


@given(wait=SECONDS, seed=st.integers(0, 99))
def test_a_providers_wait_is_only_ever_lengthened(wait, seed):
    waited = with_upward_jitter(wait, Random(seed))
    assert wait <= waited <= wait + min(0.25 * wait, 5.0) + 1e-9


@pytest.mark.parametrize(("wait", "longest"), [(0, 0), (4, 5), (20, 25), (171, 176), (3600, 3605)])
def test_the_upward_jitter_reaches_a_quarter_or_five_seconds(wait, longest):
    assert with_upward_jitter(wait, Extreme(0.0)) == wait
    assert with_upward_jitter(wait, Extreme(HIGHEST)) == pytest.approx(longest)


def test_quarter_jitter_stays_spread_at_the_cap():
    """Cut at the cap after the jitter, half of all long waits are the very same."""
    rng = Random(0)
    waits = [backoff_seconds(20, base=1, cap=60, rng=rng, jitter="quarter") for _ in range(1000)]
    assert len(set(waits)) > 990
