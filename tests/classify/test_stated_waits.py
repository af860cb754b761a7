"""How long a provider asked to wait, in every form it may be said in."""

from datetime import UTC, datetime

import pytest

from failsoft.classify import ReplyFailed, StreamFailed, classify, exhausted_wait

NOW = datetime(2026, 11, 22, 23, 0, tzinfo=UTC).timestamp()
HERE = "Sun, 22 Nov 2026 23:00:00 GMT"


def wait_of(headers, *, status=429, now=NOW, body=b"{}"):
    failure = ReplyFailed("", status=status, headers=headers, body=body)
    return classify(failure, provider="anthropic", now=now).wait_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("171", 171.0),
        ("2.75", 2.75),
        (" 3 ", 3.0),
        ("007", 7.0),
        ("Sun, 22 Nov 2026 23:00:30 GMT", 30.0),
        ("Sunday, 22-Nov-26 23:00:30 GMT", 30.0),
        ("Sun Nov 22 23:00:30 2026", 30.0),
        ("Sun, 22 Nov 2026 22:59:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value, seconds):
    assert wait_of({"Retry-After": value}) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-5", "-0.1", "+5", "5s", "1e3", "inf", "nan", "0x10", "1_000", "3, 5"),
        *("٣", "9" * 20, "9" * 5000, "Sun", "Sun, 99 Nov 2026 23:00:30 GMT", "Sun, 22 Nov 99999"),
        *("2026-11-22T23:00:30Z", "Fri, 31 Dec 9999 23:59:59 GMT", "\x00", "1\r\nx: y"),
    ],
)
def test_rubbish_is_as_good_as_nothing(value):
    assert wait_of({"retry-after": value}) is None


def test_milliseconds_come_first_and_rubbish_gives_way():
    assert wait_of({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert wait_of({"retry-after-ms": "-1", "retry-after": "9"}) == 9.0
    assert wait_of({"retry-after-ms": "soon", "retry-after": "9"}) == 9.0


def test_a_date_is_measured_by_the_replys_own_clock():
    date = {"retry-after": "Sun, 22 Nov 2026 23:00:30 GMT"}
    assert wait_of(date, now=NOW + 3600) == 0.0
    assert wait_of({**date, "date": HERE}, now=NOW + 3600) == 30.0
    assert wait_of({**date, "date": "yesterday"}, now=NOW) == 30.0


def limits(**groups):
    headers = {}
    for name, (remaining, reset) in groups.items():
        prefix = f"Anthropic-RateLimit-{name.replace('_', '-')}"
        headers |= {f"{prefix}-Remaining": remaining, f"{prefix}-Reset": reset}
    return headers


def test_the_latest_exhausted_reset_and_no_other():
    headers = limits(
        requests=("0", "2026-11-22T23:00:10Z"),
        input_tokens=("0", "2026-11-22T23:00:41Z"),
        output_tokens=("5", "2026-11-22T23:59:00Z"),
    )
    assert wait_of(headers) == 41.0
    assert wait_of({**headers, "retry-after": "2"}) == 2.0


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("2026-11-22T23:00:30Z", 30.0),
        ("2026-11-22t23:00:30z", 30.0),
        ("2026-11-22T23:00:30.500Z", 30.5),
        ("2026-11-23T00:00:30+01:00", 30.0),
        ("2026-11-22T22:00:00Z", 0.0),
        ("2026-11-22T23:00:30", None),
        ("1763852430", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_resets_are_rfc_3339(reset, seconds):
    assert wait_of(limits(tokens=("0", reset))) == seconds


def test_a_limit_that_does_not_say_that_it_is_exhausted_is_not():
    assert wait_of({"anthropic-ratelimit-tokens-reset": "2026-11-22T23:00:30Z"}) is None
    assert wait_of(limits(tokens=("-1", "2026-11-22T23:00:30Z"))) is None


def test_limits_of_the_good_reply_are_not_those_of_the_event_in_its_stream():
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Rate limited"}}
    headers = limits(tokens=("0", "2026-11-22T23:00:30Z"))
    failure = StreamFailed("", status=200, headers=headers, body=body)
    verdict = classify(failure, provider="anthropic", now=NOW)
    assert (verdict.reason, verdict.wait_seconds) == ("rate_limited", None)


def test_of_a_repeated_header_the_first_counts():
    assert wait_of([("retry-after", "3"), (b"Retry-After", b"9")]) == 3.0
    assert wait_of([(b"Retry-After", b"9"), ("retry-after", "3")]) == 9.0


def test_a_limit_that_asks_to_try_again_states_a_wait_of_nothing():
    asked = {"X-Should-Retry": "true"}
    assert wait_of(asked) == 0.0
    assert wait_of({**asked, "retry-after": "9"}) == 9.0
    assert wait_of({**asked, **limits(tokens=("0", "2026-11-22T23:00:30Z"))}) == 30.0
    assert wait_of({"x-should-retry": "false"}) is None
    assert wait_of(asked, status=529) is None


def test_limits_say_nothing_of_an_overload():
    assert wait_of(limits(tokens=("0", "2026-11-22T23:00:30Z")), status=529) is None
    assert wait_of({"retry-after": "5"}, status=529) == 5.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_no_wait_where_waiting_heals_nothing(status):
    assert wait_of({"retry-after": "5"}, status=status) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("You will regain access on 2026-12-01 at 00:00 UTC.", 8 * 86_400 + 3_600),
        ("You will regain access on 2026-11-23.", 3_600),
        ("Access resumes 2026-11-22T23:10:00Z.", 600),
        ("You will regain access on 2026-11-01 at 00:00 UTC.", 0),
        ("You will regain access on 2026-13-41 at 00:00 UTC.", None),
        ("You will regain access soon.", None),
    ],
)
def test_the_date_a_spend_limit_ends(words, seconds):
    message = f"You have reached your specified API usage limits. {words}"
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    assert wait_of({}, status=400, body=body) == seconds


def test_a_spend_limits_retry_after_is_not_believed():
    message = "This request would exceed your account's monthly spend limit."
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": message}}
    assert wait_of({"retry-after": "171"}, body=body) is None


def test_headers_of_a_good_reply_say_that_a_limit_is_exhausted():
    headers = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-22T23:00:09Z",
    }
    assert exhausted_wait(headers, now=NOW) == 9.0
    assert exhausted_wait({}, now=NOW) is None
