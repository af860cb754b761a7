"""The limits of attempts, from the formulas and by worked examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.config.settings import Settings, TimerSettings
from failsoft.policy.timers import (
    PROBE_LEASE_MARGIN_SECONDS,
    KnownPeriods,
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


CLASSIC = TimerSettings(
    first_content_seconds=30, first_content_min_seconds=10, later_targets="halved"
)
DEFAULT = TimerSettings()
LEAST_5 = TimerSettings(first_content_min_seconds=5)
UNKNOWN = KnownPeriods(named=None, learned=None)


def limits(
    when: RequestTimes,
    *,
    after: float = 0.0,
    hop: int = 0,
    last: bool = False,
    tokens: int = 0,
    settings: TimerSettings = DEFAULT,
    known: KnownPeriods | None = UNKNOWN,
    thought: int | None = None,
) -> Limits:
    return limits_for(
        settings,
        when,
        now=T0 + after,
        hop=hop,
        last=last,
        input_tokens=tokens,
        thought_tokens=thought,
        known=known,
    )


def granted(*args: RequestTimes, after: float = 0.0, **more: Any) -> float:
    return limits(*args, after=after, **more).first_content_at - T0 - after


def test_each_target_of_a_hanging_chain_has_its_own_period_and_the_last_the_rest():
    assert granted(times()) == 15.0
    assert granted(times(), after=15.0, hop=1) == 15.0
    assert granted(times(), after=30.0, hop=2, last=True) == 30.0


def test_halved_periods_are_the_classic_30_15_and_10():
    long = times(own=300.0)
    assert [granted(long, hop=hop, settings=CLASSIC) for hop in range(4)] == [30, 15, 10, 10]
    known = KnownPeriods(named=None, learned=4.0)
    assert granted(long, hop=1, settings=CLASSIC, known=known) == 15


@pytest.mark.parametrize(
    ("learned", "tokens", "seconds"),
    [(4.0, 0, 4), (4.0, 80_000, 14), (0.1, 0, 3), (0.1, 8000, 4), (99, 0, 15), (99, 8000, 16)],
)
def test_a_learned_period_is_at_least_3_seconds_and_at_most_the_fixed_one(learned, tokens, seconds):
    known = KnownPeriods(named=None, learned=learned)
    one = limits(times(), tokens=tokens, known=known)
    assert one.first_content_at - T0 == seconds
    assert one.full_period
    assert one.learned is (learned < 15)
    assert one.allowance_seconds == tokens / 8000


def test_a_learned_period_holds_for_later_targets_too():
    known = KnownPeriods(named=None, learned=4.0)
    assert granted(times(), hop=1, after=10.0, known=known) == 4.0


def test_a_period_that_the_settings_name_stands_in_place_of_what_was_learned():
    named = limits(times(), known=KnownPeriods(named=20.0, learned=4.0), tokens=8000)
    assert (named.first_content_at - T0, named.learned) == (21.0, False)
    thinks = limits(times(own=300), known=KnownPeriods(named=20.0, learned=None), thought=0)
    assert thinks.first_content_at - T0 == 120.0


def test_thought_is_learned_apart_and_never_has_more_than_its_silence():
    for learned, seconds in ((40.0, 40), (900.0, 120)):
        one = limits(times(own=300), known=KnownPeriods(named=None, learned=learned), thought=0)
        assert (one.first_content_at - T0, one.thinks) == (seconds, True)


def test_nothing_is_learned_where_less_than_the_own_period_is_granted():
    assert limits(times()).allowance_seconds == 0
    assert limits(times(), after=30.0, last=True).allowance_seconds == 0
    assert limits(times(timeout=10.0)).allowance_seconds is None
    assert limits(times(own=10.0)).allowance_seconds is None
    assert limits(times(), after=50.0, last=True).allowance_seconds is None
    assert limits(times(), hop=1, settings=CLASSIC).allowance_seconds is None
    assert limits(times(), known=None).allowance_seconds is None


def test_a_callers_limit_above_a_learned_period_takes_nothing_from_it():
    known = KnownPeriods(named=None, learned=4.0)
    one = limits(times(timeout=10.0), known=known)
    assert (one.first_content_at - T0, one.full_period, one.learned) == (4.0, True, True)
    short = limits(times(timeout=6.0), known=known)
    assert (short.full_period, short.allowance_seconds) == (False, None)


def test_a_probe_has_its_own_period_also_where_the_last_target_would_have_all():
    last = limits(times(), last=True)
    assert last.first_content_at == T0 + 60.0
    assert last.of_probe(T0).first_content_at == T0 + 15.0
    short = limits(times(timeout=4.0), last=True)
    assert short.of_probe(T0) == short


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
    halved = TimerSettings(first_content_min_seconds=5, later_targets="halved")
    assert granted(times(), hop=hop, settings=halved) == seconds


def test_a_deadline_of_ten_seconds_is_shared_in_halves():
    ten = times(own=10.0)
    assert granted(ten) == 5.0
    assert limits(ten).full_period
    assert granted(ten, after=5.0, hop=1, settings=LEAST_5) == 5.0
    assert limits(ten, after=5.0, hop=1, settings=LEAST_5).full_period


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
    probe = one.of_probe(now)
    assert one.lease_seconds == pytest.approx(
        probe.first_content_at - now + PROBE_LEASE_MARGIN_SECONDS
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


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [0, 5, 100_000])
def test_a_call_that_begins_a_little_late_has_its_whole_period(
    *, stream: bool, tokens: int
) -> None:
    settings = Settings()
    period = first_content_period(settings.timers, input_tokens=tokens, thought_tokens=None)
    own = deadline_for(settings, period, stream=stream)
    late = limits(times(own), after=0.02, tokens=tokens)

    assert late.full_period
    assert late.allowance_seconds is not None  # it is learned from
