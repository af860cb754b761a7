"""How long a provider asked to wait, in every form it may be said in."""

import json
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
        ("7s", 7.0),
        ("1m30s", 90.0),
        ("2026-11-22T23:00:30Z", 30.0),
        (f"{NOW + 40:.0f}", 40.0),
        (f"{NOW - 40:.0f}", 0.0),
    ],
)
def test_retry_after(value, seconds):
    assert wait_of({"Retry-After": value}) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-5", "-0.1", "+5", "5 s", "1e3", "inf", "nan", "0x10", "1_000", "3; 5"),
        *("٣", "9" * 20, "9" * 5000, "Sun", "Sun, 99 Nov 2026 23:00:30 GMT", "Sun, 22 Nov 99999"),
        *("2026-11-22T23:00:30", "Fri, 31 Dec 9999 23:59:59 GMT", "\x00", "1\r\nx: y"),
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
        ("2026-11-22T22:00:00Z", None),
        ("2026-11-22T23:00:30", None),
        ("1763852430", None),
        (f"{NOW + 30:.0f}", 30.0),
        (f"{NOW + 30:.0f}.5", 30.5),
        ("30", 30.0),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("1h0m0s", 3600.0),
        ("15ms", 0.015),
        ("0", None),
        ("0s", None),
        ("-1", None),
        ("-1s", None),
        ("7s5", None),
        ("7y", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_every_form_of_a_reset(reset, seconds):
    assert wait_of(limits(tokens=("0", reset))) == seconds


def test_a_limit_that_does_not_say_that_it_is_exhausted_is_not():
    assert wait_of({"anthropic-ratelimit-tokens-reset": "2026-11-22T23:00:30Z"}) is None
    assert wait_of(limits(tokens=("-1", "2026-11-22T23:00:30Z"))) is None


@pytest.mark.parametrize(
    "prefix", ["anthropic-ratelimit-unified", "anthropic-ratelimit-unified-5h"]
)
def test_a_limit_whose_status_is_rejected_is_exhausted(prefix):
    headers = {f"{prefix}-status": "rejected", f"{prefix}-reset": f"{NOW + 4000:.0f}"}
    assert wait_of(headers) == 4000.0
    assert wait_of({**headers, f"{prefix}-status": "allowed_warning"}) is None


def test_limits_of_openai_and_its_kin():
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "9h",
    }
    assert wait_of(headers) == 360.0
    assert exhausted_wait(headers, now=NOW) == 360.0
    assert wait_of({"ratelimit-remaining": "0", "ratelimit-reset": "12"}) == 12.0
    azure = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1"}
    assert wait_of(azure) is None


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45.837906927s"}
EXHAUSTED = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize("wrapped", [lambda body: body, lambda body: [body]])
def test_a_delay_in_the_body(wrapped):
    body = {"error": {**EXHAUSTED, "details": [{"@type": "x"}, RETRY_INFO]}}
    assert wait_of({}, body=json.dumps(wrapped(body))) == 45.837906927
    assert wait_of({"retry-after": "3"}, body=json.dumps(wrapped(body))) == 3.0
    assert wait_of({}, status=400, body=json.dumps(wrapped(body))) == 45.837906927


@pytest.mark.parametrize(
    "details", [None, "x", {}, [None], [{"retryDelay": 45}], [{**RETRY_INFO, "retryDelay": "0s"}]]
)
def test_a_body_without_a_delay(details):
    assert wait_of({}, body={"error": {**EXHAUSTED, "details": details}}) is None


def test_a_delay_in_the_body_of_a_failure_that_is_no_limit():
    error = {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE", "details": [RETRY_INFO]}
    assert wait_of({}, status=503, body={"error": error}) == 45.837906927


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please retry after 37 seconds.", 37.0),
        ("Rate limit reached. Please try again in 5.289s. Need more tokens?", 5.289),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 20ms. Visit", 0.02),
        ("Please retry in 45.837906927s.", 45.837906927),
        ("Please retry after 1 minute", 60.0),
        ("Please retry after 0 seconds", None),
        ("Please retry after a while", None),
        ("You may retry 3 times", None),
        ("Please try again in 5 shakes", None),
    ],
)
def test_a_wait_in_a_sentence(message, seconds):
    body = {"error": {"type": "rate_limit_error", "message": message}}
    assert wait_of({}, body=body) == seconds
    assert wait_of({}, status=529, body={"error": {"type": "overloaded_error"}}) is None


def test_limits_of_the_good_reply_are_not_those_of_the_event_in_its_stream():
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Rate limited"}}
    headers = limits(tokens=("0", "2026-11-22T23:00:30Z"))
    failure = StreamFailed("", status=200, headers=headers, body=body)
    verdict = classify(failure, provider="anthropic", now=NOW)
    assert (verdict.reason, verdict.wait_seconds) == ("rate_limited", None)


@pytest.mark.parametrize("last", ["9", "Sun, 22 Nov 2026 23:00:09 GMT", "9s"])
def test_of_a_repeated_header_the_longest_counts(last):
    assert wait_of([("retry-after", "3"), (b"Retry-After", last.encode())]) == 9.0
    assert wait_of([("Retry-After", last), ("retry-after", "3")]) == 9.0
    assert wait_of([("Retry-After", last), ("retry-after", "soon")]) == 9.0
    assert wait_of({"retry-after": f"{last}, 3"}) == 9.0, "as httpx joins them"
    assert wait_of([("retry-after-ms", "200"), ("retry-after-ms", "900")]) == 0.9


def test_of_a_repeated_request_id_the_first_counts():
    failure = ReplyFailed("", status=429, headers=[("request-id", "a"), ("request-id", "b")])
    assert classify(failure, provider="anthropic", now=NOW).provider_request_id == "a"


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
