"""Whatever it is given, classification gives a verdict, and always the same one."""

import asyncio
import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.classify import (
    ErrorCategory,
    ReplyFailed,
    StreamFailed,
    Verdict,
    classify,
    is_cancellation,
)

PROVIDERS = st.sampled_from(["anthropic", "http", "openai", "gemini", "openrouter", ""])

HEADER_NAMES = st.sampled_from(
    [
        "Retry-After",
        "retry-after-ms",
        "Date",
        "request-id",
        "x-amzn-errortype",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ]
)
HEADER_VALUES = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.integers(),
    st.floats(),
    st.none(),
    st.floats(allow_nan=True).map(str),
    st.integers().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
)
HEADERS = st.one_of(
    st.dictionaries(st.one_of(HEADER_NAMES, st.text(), st.binary()), HEADER_VALUES, max_size=8),
    st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES)),
    st.none(),
    st.text(),
    st.integers(),
)
STATUSES = st.one_of(st.integers(-1, 1100), st.integers(), st.none(), st.text(max_size=4))
WORDS = st.sampled_from(
    [
        *("error", "type", "code", "message", "status", "details", "error_code", "detail"),
        *("stop_reason", "choices", "innererror", "request_id", "metadata", "param", "Error"),
        *("finish_reason", "candidates", "finishReason", "promptFeedback", "blockReason"),
        *("response", "response.failed", "violations", "quotaId", "retryDelay", "messageStop"),
        *("throttlingException", "originalStatusCode", "Code", "ResponseMetadata"),
        *("overloaded_error", "content_filter", "429"),
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
BODIES = st.one_of(
    st.none(), st.binary(), st.text(), JSON, JSON.map(json.dumps), JSON.map(str), st.integers()
)
NOWS = st.floats(allow_nan=True, allow_infinity=True)


def check(failure, provider="anthropic", now=0.0):
    verdict = classify(failure, provider=provider, now=now)
    assert isinstance(verdict, Verdict)
    assert verdict.category in ErrorCategory
    wait = verdict.wait_seconds
    assert wait is None or (math.isfinite(wait) and wait >= 0)
    assert len(verdict.internal_detail) <= 500
    assert verdict.internal_detail.encode().splitlines() in ([], [verdict.internal_detail.encode()])
    assert classify(failure, provider=provider, now=now) == verdict
    return verdict


@given(status=STATUSES, headers=HEADERS, body=BODIES, provider=PROVIDERS, now=NOWS)
@settings(max_examples=150)
def test_any_reply(status, headers, body, provider, now):
    known = status if isinstance(status, int) and 100 <= status <= 999 else None
    for kind in (ReplyFailed, StreamFailed):
        verdict = check(kind("", status=status, headers=headers, body=body), provider, now)
        if not isinstance(status, str):  # and so it was read, not given up
            assert verdict.http_status == known


@given(failure=BODIES, provider=PROVIDERS)
@settings(max_examples=150)
def test_any_value(failure, provider):
    check(failure, provider)


@given(body=st.binary(max_size=300), head=st.sampled_from([b"", b"{", b"<", b"data: ", b"event: "]))
def test_any_bytes_from_upstream_end_in_a_verdict(body, head):
    check(ReplyFailed("", status=200, body=head + body))


NAMES = WORDS | st.sampled_from(["status_code", "body", "headers"])


@given(attributes=st.dictionaries(NAMES, JSON, max_size=4))
@settings(max_examples=50)
def test_any_attributes(attributes):
    failure = Exception()
    vars(failure).update(attributes)
    check(failure)


def raising(error):
    def fail(*_args):
        raise error

    return fail


class Hostile:
    """Whatever is asked of it, it raises."""

    def __init__(self, error):
        object.__setattr__(self, "error", error)

    def __getattribute__(self, name):
        raise object.__getattribute__(self, "error")

    __str__ = __repr__ = __len__ = __iter__ = __bool__ = __eq__ = __hash__ = raising(ValueError())


class HostileError(Exception):
    def __getattribute__(self, name):
        raise asyncio.CancelledError

    __str__ = raising(GeneratorExit())


class HostileMapping(Mapping):
    __getitem__ = __iter__ = __len__ = get = items = raising(RecursionError())


class HostileText(str):
    __slots__ = ()
    __getitem__ = lower = strip = __str__ = raising(MemoryError())


class Endless(Mapping):
    """Headers without an end."""

    def __getitem__(self, name):
        return self

    def __iter__(self):
        while True:
            yield "x", "y"

    def items(self):
        return iter(self)

    def __len__(self):
        return 1


# Made in the test: no test runner survives looking at some of these.
ILL_WILLED = {
    "raises": lambda: Hostile(ValueError()),
    "cancels": lambda: Hostile(asyncio.CancelledError()),
    "error": HostileError,
    "mapping": HostileMapping,
    "text": lambda: HostileText("x"),
    "words": lambda: Exception(HostileText("x")),
    "body": lambda: ReplyFailed("", status=529, body=HostileMapping()),
    "headers": lambda: ReplyFailed("", status=529, headers=HostileMapping()),
    "endless headers": lambda: ReplyFailed("", status=529, headers=Endless()),
    "headers of numbers": lambda: ReplyFailed("", status=529, headers=[1, 2, 3]),
    "nested": lambda: ReplyFailed("", status=529, body=[[[[]]]]),
    "deep list": lambda: ReplyFailed("", status=429, body="[" * 200_000),
    "deep object": lambda: ReplyFailed("", status=429, body='{"error":' * 50_000),
    "long number": lambda: ReplyFailed("", status=429, body=b'{"a":' + b"9" * 100_000 + b"}"),
    "huge status": lambda: ReplyFailed("", status=10**30),
    "nothing": lambda: None,
    "number": lambda: 0,
    "float": lambda: 1.5,
    "object": object,
    "class": lambda: type,
    "ellipsis": lambda: ...,
}


@pytest.mark.parametrize("name", ILL_WILLED)
def test_objects_of_ill_will(name):
    failure = ILL_WILLED[name]()
    verdict = classify(failure, provider="anthropic", now=0.0)
    assert verdict.category in ErrorCategory
    assert not is_cancellation(failure)


def test_a_provider_that_is_no_name():
    for provider in (None, 7, []):
        verdict = classify(ReplyFailed("", status=529), provider=provider, now=0.0)
        assert str(verdict) == "transient · overloaded"
    verdict = classify(ReplyFailed(""), provider=Hostile(ValueError()), now=0.0)
    assert verdict.category is ErrorCategory.UNKNOWN


@pytest.mark.parametrize("now", [None, "now", math.nan, math.inf, 10**400])
def test_a_time_that_is_none(now):
    failure = ReplyFailed("", status=529, headers={"retry-after": "5"})
    assert check(failure).wait_seconds == 5.0
    assert classify(failure, provider="http", now=now).category in ErrorCategory


def test_chains_that_bite_their_tail():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    first.args = (first, second)
    assert str(check(first)) == "unknown · unknown"


def test_a_chain_without_an_end_is_read_from_the_top():
    failure = outermost = ReplyFailed("", status=529)
    for _ in range(1000):
        outermost = RuntimeError()
        outermost.__cause__ = failure
        failure = outermost
    assert str(check(outermost)) == "unknown · unknown"


def test_an_enormous_body_is_read_no_further_than_it_must_be():
    huge = b'{"type":"error","error":{"type":"overloaded_error","message":"' + b"x" * 50_000_000
    assert str(check(ReplyFailed("", status=503, body=huge))) == "transient · unavailable"
    assert str(check(ReplyFailed("", status=200, body=huge))) == "unknown · bad_reply"
