"""The limits of attempts, from the formulas and by worked examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.config.settings import Settings, TimerSettings
from failsoft.policy.timers import (
    PROBE_LEASE_MARGIN_SECONDS,
    Limits,
    RequestTimes,
    deadline_for,
    first_content_period,
    limits_for,
)

T0 = 1000.0


def times(own: float = 60.0, timeout: float | None = None) -> RequestTimes:
    caller = float("inf") if timeout is None else T0 + timeout
    return RequestTimes(
        started_at=T0,
        deadline_at=min(T0 + own, caller),
        own_deadline_at=T0 + own,
        answer_at=min(T0 + 600, caller),
    )


def limits(
    when: RequestTimes, *, after: float = 0.0, hop: int = 0, last: bool = False, tokens: int = 0
) -> Limits:
    return limits_for(
        TimerSettings(), when, now=T0 + after, hop=hop, last=last, input_tokens=tokens
    )


def granted(*args: RequestTimes, after: float = 0.0, **more: int) -> float:
    return limits(*args, after=after, **more).first_content_at - T0 - after


def test_a_hanging_chain_of_three_gets_15_then_7_and_a_half_then_the_rest():
    assert granted(times()) == 15.0
    assert granted(times(), after=15.0, hop=1) == 7.5
    assert granted(times(), after=22.5, hop=2, last=True) == 37.5


def test_a_stream_has_half_its_time_for_each_later_target():
    stream = times(own=30.0)
    assert granted(stream) == 15.0
    assert granted(stream, after=15.0, hop=1) == 7.5
    assert granted(stream, after=22.5, hop=2, last=True) == 7.5


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 15), (8000, 16), (80_000, 25), (120_000, 30)])
def test_a_long_prompt_is_given_a_second_for_every_8000_tokens(tokens, seconds):
    assert granted(times(), tokens=tokens) == seconds


def test_no_prompt_is_given_more_than_half_of_what_is_left_or_all_but_15_seconds():
    assert granted(times(), tokens=1_000_000) == 45.0
    assert granted(times(), after=40.0, tokens=1_000_000) == 10.0
    assert granted(times(), after=20.0, hop=1, tokens=1_000_000) == 20.0


@pytest.mark.parametrize(("budget", "seconds"), [(0, 120), (4_000, 120), (7_000, 200)])
def test_a_model_that_thinks_may_be_silent_for_longer(budget, seconds):
    period = first_content_period(TimerSettings(), input_tokens=0, thought_tokens=budget)
    assert period == seconds
    asked = limits_for(
        TimerSettings(),
        times(own=deadline_for(Settings(), period, stream=True)),
        now=T0,
        hop=0,
        last=False,
        input_tokens=0,
        thought_tokens=budget,
    )
    assert (asked.first_content_at - T0, asked.thinking_seconds) == (seconds, seconds)
    assert asked.idle_seconds == 20
    assert asked.full_period


def test_a_deadline_that_was_chosen_is_kept_for_thought_too():
    assert deadline_for(Settings(deadline_seconds=20), 120, stream=False) == 20
    assert deadline_for(Settings(stream_deadline_seconds=40), 120, stream=True) == 40
    assert deadline_for(Settings(), 15, stream=True) == 30
    assert deadline_for(Settings(), 15, stream=False) == 60


@pytest.mark.parametrize(
    ("hop", "seconds"), [(0, 15), (1, 7.5), (2, 5), (3, 5), (50, 5), (5000, 5)]
)
def test_each_later_target_gets_half_but_never_under_five(hop, seconds):
    assert granted(times(), hop=hop) == seconds


def test_a_deadline_of_ten_seconds_is_shared_in_halves():
    ten = times(own=10.0)
    assert granted(ten) == 5.0
    assert limits(ten).full_period
    assert granted(ten, after=5.0, hop=1) == 5.0
    assert limits(ten, after=5.0, hop=1).full_period


def test_a_callers_two_seconds_say_nothing_against_the_target():
    short = times(timeout=2.0)
    assert not limits(short).full_period
    assert not limits(short, last=True).full_period
    assert limits(short, last=True).first_content_at == T0 + 2.0
    assert limits(short).answer_at == T0 + 2.0


@pytest.mark.parametrize("own", [0.05, 0.5, 2.0, 8.0, 30.0])
def test_a_configured_short_deadline_does_speak_against_the_target(own):
    assert limits(times(own=own)).full_period
    assert limits(times(own=own), last=True).full_period


def test_a_callers_timeout_above_the_settings_changes_nothing():
    assert limits(times(timeout=300.0)).first_content_at == limits(times()).first_content_at
    assert limits(times(timeout=300.0)).full_period


def test_leftovers_are_no_full_period():
    late = limits(times(), after=57.0, hop=2, last=True)
    assert late.first_content_at == T0 + 60.0
    assert not late.full_period


def test_the_last_target_has_all_that_is_left_and_is_judged_by_its_own_period():
    last = limits(times(), after=22.5, hop=2, last=True)
    assert last.first_content_at == T0 + 60.0
    assert last.full_period


def test_silence_and_the_end_of_a_living_answer():
    assert limits(times()).idle_seconds == 20.0
    assert limits(times()).answer_at == T0 + 600.0


WHEN = st.builds(times, own=st.floats(0.05, 600), timeout=st.none() | st.floats(0.05, 600))


@given(
    when=WHEN,
    share=st.floats(0, 0.99),
    hop=st.integers(0, 20),
    last=st.booleans(),
    tokens=st.integers(0, 2_000_000),
)
def test_the_first_content_is_never_awaited_past_the_deadline(when, share, hop, last, tokens):
    now = T0 + share * (when.deadline_at - T0)
    one = limits_for(TimerSettings(), when, now=now, hop=hop, last=last, input_tokens=tokens)
    assert now < one.first_content_at <= when.deadline_at + 1e-6
    assert one.lease_seconds == pytest.approx(
        one.first_content_at - now + PROBE_LEASE_MARGIN_SECONDS
    )
    if last:
        assert one.first_content_at == pytest.approx(when.deadline_at)


@given(when=WHEN)
def test_the_latest_useful_start_is_before_the_deadline_and_late(when):
    total = when.deadline_at - T0
    assert when.useful_until < when.deadline_at
    assert when.deadline_at - when.useful_until <= 1.0 + 1e-6
    assert when.useful_until >= T0 + 0.89 * total


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0, 8.0])
def test_the_first_target_has_at_most_half_of_a_short_deadline(seconds):
    """The least of five seconds is for later targets; without a half left no fallback is."""
    assert granted(times(timeout=seconds)) == pytest.approx(seconds / 2)
    assert granted(times(own=seconds)) == pytest.approx(seconds / 2)
