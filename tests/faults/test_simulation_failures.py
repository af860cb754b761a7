"""Every failure made on purpose is read by the classifier as what it was asked for."""

import pytest

from failsoft.classify import ErrorCategory, classify
from failsoft.classify.truth_table import ROWS
from failsoft.faults.simulation import AT_ONCE, IN_STREAM, TYPICAL

# No attempt ends so: what the plan says of several, a caller who left, and an answer.
NEVER = {"all_open", "cancelled", "success"}


def test_there_is_one_for_every_reason_that_an_attempt_can_end_with():
    assert set(AT_ONCE) == {row.reason for row in ROWS.values()} - NEVER
    assert set(IN_STREAM) < set(AT_ONCE)


def test_there_is_a_typical_one_for_every_category():
    assert list(TYPICAL) == [str(category) for category in ErrorCategory]


@pytest.mark.parametrize("provider", ["anthropic", "http"])
@pytest.mark.parametrize(
    ("reason", "make"), [*AT_ONCE.items(), *IN_STREAM.items()], ids=lambda it: str(it)[:20]
)
def test_it_is_read_as_what_it_was_asked_for(reason, make, provider):
    verdict = classify(make(), provider=provider, now=0.0)
    assert verdict.reason == reason
    assert verdict.category == next(row.category for row in ROWS.values() if row.reason == reason)


@pytest.mark.parametrize("category", TYPICAL)
def test_a_category_is_read_as_itself(category):
    for made in (AT_ONCE, IN_STREAM):
        if make := made.get(TYPICAL[category]):
            assert classify(make(), provider="anthropic", now=0.0).category == category


@pytest.mark.parametrize("reason", ["requests", "tokens"])
def test_a_limit_names_its_wait(reason):
    assert classify(AT_ONCE[reason](), provider="anthropic", now=0.0).wait_seconds == 5


def test_a_timeout_counts_as_one_that_took_its_whole_period_and_takes_no_time():
    failure = AT_ONCE["no_answer"]()
    assert (failure.full_period, failure.seconds) == (True, 0.0)
