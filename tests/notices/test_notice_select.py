"""From verdict to words: the table of the contract, row by row."""

import dataclasses
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.classify.verdict import ErrorCategory
from failsoft.notices import Catalogue, notice_for, suggested_actions
from failsoft.notices.jargon import unfit_words

TRUTH_TABLE = [
    ("transient", "overloaded"),
    ("transient", "server_error"),
    ("transient", "unavailable"),
    ("transient", "connection"),
    ("transient", "saturated"),
    ("transient", "conflict"),
    ("transient", "stream_cut"),
    ("permanent", "not_implemented"),
    ("permanent", "tls"),
    ("permanent", "model_unavailable"),
    ("permanent", "bad_request"),
    ("permanent", "bad_call"),
    ("permanent", "too_large"),
    ("permanent", "context_too_long"),
    ("timeout", "upstream"),
    ("timeout", "no_answer"),
    ("timeout", "deadline"),
    ("rate_limited", "requests"),
    ("rate_limited", "tokens"),
    ("auth_error", "billing"),
    ("auth_error", "authentication"),
    ("auth_error", "permission"),
    ("auth_error", "suspended"),
    ("content_policy", "content_policy"),
    ("content_policy", "refusal"),
    ("permanent", "thought_only"),
    ("unknown", "bad_reply"),
    ("unknown", "empty_answer"),
    ("unknown", "unknown"),
]

# category: action, countdown, status link, severity
FACTS = {
    "transient": ("retry", 5, True, "warning"),
    "rate_limited": ("wait", 30, False, "info"),
    "timeout": ("retry", 0, False, "info"),
    "content_policy": ("edit_input", None, False, "info"),
    "auth_error": ("contact_support", None, False, "error"),
    "permanent": ("edit_input", None, False, "warning"),
    "unknown": ("retry", 5, True, "warning"),
}


def facts(notice):
    return (
        notice.primary_action_type,
        notice.retry_countdown_seconds,
        notice.show_status_page_link,
        notice.severity,
    )


@pytest.mark.parametrize("retrying", [False, True])
@pytest.mark.parametrize(("category", "reason"), TRUTH_TABLE)
def test_every_row_has_a_notice_with_the_facts_of_its_category(
    catalogue, verdict, category, reason, retrying
):
    notice = notice_for(verdict(category, reason), catalogue=catalogue, retrying=retrying)
    assert facts(notice) == FACTS[category]
    assert 0 < len(notice.body) <= 200
    assert not list(unfit_words(f"{notice.title} {notice.body}", language="en"))


@pytest.mark.parametrize(("category", "reason"), TRUTH_TABLE)
def test_every_row_suggests_something_fit_to_read(catalogue, verdict, category, reason):
    actions = suggested_actions(verdict(category, reason), catalogue=catalogue)
    assert actions
    assert any("support" in action for action in actions)
    assert not list(unfit_words(" ".join(actions), language="en"))


@pytest.mark.parametrize("category", ErrorCategory)
def test_a_bare_category_will_do(catalogue, verdict, category):
    of_verdict = notice_for(verdict(category, "no words of its own"), catalogue=catalogue)
    assert notice_for(category, catalogue=catalogue) == of_verdict


@pytest.mark.parametrize("category", FACTS)
def test_the_true_wait_is_counted_down_rounded_up(catalogue, category):
    notice = notice_for(ErrorCategory(category), catalogue=catalogue, retry_in_seconds=41.01)
    assert notice.retry_countdown_seconds == (None if FACTS[category][1] is None else 42)


def test_the_words_name_the_wait_that_is_counted_down(catalogue):
    limited = ErrorCategory.RATE_LIMITED
    known = notice_for(limited, catalogue=catalogue, retry_in_seconds=171)
    assert "Wait 3 minutes" not in notice_for(limited, catalogue=catalogue).body
    assert "Wait 3 minutes" in known.body
    assert suggested_actions(limited, catalogue=catalogue, retry_in_seconds=171)[0] == (
        "Try again in 3 minutes"
    )


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_whatever_wait_is_given_the_countdown_is_whole_and_not_negative(seconds):
    notice = notice_for(
        ErrorCategory.RATE_LIMITED, catalogue=SHARED, retry_in_seconds=seconds, retrying=True
    )
    countdown = notice.retry_countdown_seconds
    assert isinstance(countdown, int)
    assert countdown == (max(0, math.ceil(seconds)) if math.isfinite(seconds) else 30)


@pytest.mark.parametrize(
    ("category", "action", "countdown"),
    [
        ("transient", "retry", 5),
        ("rate_limited", "retry", 30),
        ("timeout", "retry", 0),
        ("unknown", "retry", 5),
        ("content_policy", "edit_input", None),
        ("permanent", "edit_input", None),
        ("auth_error", "contact_support", None),
    ],
)
def test_an_answer_cut_short_says_what_arrived_is_kept(catalogue, category, action, countdown):
    notice = notice_for(ErrorCategory(category), catalogue=catalogue, shown=True)
    assert facts(notice) == (action, countdown, False, "warning")
    assert "cut short" in notice.title
    assert "What arrived is kept." in notice.body


def test_an_answer_cut_short_counts_down_the_true_wait(catalogue):
    notice = notice_for(
        ErrorCategory.TIMEOUT, catalogue=catalogue, shown=True, retry_in_seconds=7.5
    )
    assert notice.retry_countdown_seconds == 8


def test_shown_wins_over_retrying(catalogue, verdict):
    failure = verdict("transient", "stream_cut")
    both = notice_for(failure, catalogue=catalogue, shown=True, retrying=True)
    assert both == notice_for(failure, catalogue=catalogue, shown=True)


def test_a_reason_has_words_of_its_own_while_it_waits_and_when_it_gave_up(catalogue, verdict):
    full = verdict("transient", "saturated")
    assert "queue" in notice_for(full, catalogue=catalogue, retrying=True).body
    assert "queue" not in notice_for(full, catalogue=catalogue).body


@pytest.mark.parametrize("reason", ["too_large", "context_too_long"])
def test_what_is_too_long_says_how_to_shorten(catalogue, verdict, reason):
    failure = verdict("permanent", reason)
    assert "in parts" in notice_for(failure, catalogue=catalogue).body
    assert "Shorten your message" in suggested_actions(failure, catalogue=catalogue)


def test_a_link_is_suggested_only_where_there_is_one(catalogue):
    failure = ErrorCategory.TRANSIENT
    without = suggested_actions(failure, catalogue=catalogue)
    with_link = suggested_actions(failure, catalogue=catalogue, links=("status_page",))
    assert set(with_link) - set(without) == {"Check the status page"}


@given(
    reference=st.text(max_size=300) | st.sampled_from(["{time}", "{age}", "%s", "{0.x}", "\r\n"])
)
def test_a_reference_is_carried_and_never_mixed_into_the_words(reference):
    plain = notice_for(ErrorCategory.UNKNOWN, catalogue=SHARED)
    notice = notice_for(ErrorCategory.UNKNOWN, catalogue=SHARED, reference=reference)
    assert notice == dataclasses.replace(plain, reference=reference)


@given(locale=st.text(max_size=300))
def test_a_locale_may_be_anything(locale):
    notice = notice_for(ErrorCategory.UNKNOWN, catalogue=SHARED, locale=locale)
    assert notice.locale in SHARED.locales


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize(("category", "reason"), TRUTH_TABLE)
def test_nothing_of_the_internal_detail_is_in_the_words(
    catalogue, verdict, category, reason, shown
):
    notice = notice_for(verdict(category, reason), catalogue=catalogue, shown=shown)
    assert not re.search(r"529|APIStatus|sk-ant|overloaded_error", str(notice))


SHARED = Catalogue.load()
