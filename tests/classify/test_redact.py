"""No credential survives, whatever it stands in."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.classify import ReplyFailed, classify, redact

TOKEN_LETTERS = string.ascii_letters + string.digits


def tokens(minimum: int, letters: str = TOKEN_LETTERS) -> st.SearchStrategy[str]:
    return st.text(letters, min_size=minimum, max_size=60)


SECRETS = st.one_of(
    tokens(8).map("sk-ant-api03-{}".format),
    tokens(20).map("sk-proj-{}".format),
    tokens(12, string.ascii_uppercase + string.digits).map("AKIA{}".format),
    tokens(20).map("AIza{}".format),
    tokens(20).map("ghp_{}".format),
    tokens(10).map("eyJhbGciOi{0}.eyJzdWIi{0}.{0}".format),
    tokens(30).map("a1{}".format),
    st.just("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
)
PASSWORDS = st.text(TOKEN_LETTERS + "-._~!*$", min_size=6, max_size=40).map("pw{}".format)
PLACES = st.sampled_from(
    [
        "x-api-key: {}",
        "X-Api-Key={}",
        '{{"x-api-key": "{}"}}',
        "{{'api_key': '{}'}}",
        "[(b'x-api-key', b'{}')]",
        "Authorization: Bearer {}",
        "{{'Authorization': 'Bearer {}'}}",
        "('authorization', 'Basic {}')",
        "Cookie: session={}; theme=dark",
        "ANTHROPIC_API_KEY={}",
        "aws_secret_access_key = {}",
        "client_secret={}&grant_type=x",
        "password: '{}'",
        "https://user:{}@proxy.example:8080/path",
        "https://host.example/v1?beta=true&key={}",
        "https://host.example/v1?access_token={}&x=1",
        "X-Amz-Signature={}&X-Amz-Date=20261122",
        '{{\\"token\\": \\"{}\\"}}',
    ]
)


@given(secret=SECRETS, around=st.sampled_from(["{}", "bad key {}!", "({})", '"{}"', "a\n{}\nb"]))
def test_a_token_is_known_by_its_own_looks(secret, around):
    assert secret not in redact(around.format(secret))


@given(secret=PASSWORDS, place=PLACES)
def test_any_value_is_known_by_where_it_stands(secret, place):
    assert secret not in redact(f"Error: {place.format(secret)}")


@given(secret=SECRETS, place=PLACES, before=st.text(max_size=1100))
def test_no_secret_in_internal_detail(secret, place, before):
    message = f"{before} {place.format(secret)}"
    body = {"type": "error", "error": {"type": "api_error", "message": message}}
    for failure in (
        ReplyFailed(message, status=500, body=body),
        ReplyFailed("", status=418, body=message.encode("utf-8", "replace")),
        RuntimeError(message),
        message,
        {"error": message},
    ):
        detail = classify(failure, provider="anthropic", now=0.0).internal_detail
        assert secret not in detail
        assert len(detail) <= 500


@pytest.mark.parametrize("length", range(940, 1000))
def test_a_secret_is_not_cut_in_half_where_the_text_is(length):
    # The first token shrinks to a mark, so that the place of the cut comes into view.
    message = f"{'a1' * (length // 2)} {'b2' * 20} and more words to be cut"
    failure = ReplyFailed("", status=500, body=message)
    assert "b2" not in classify(failure, provider="http", now=0.0).internal_detail


@pytest.mark.parametrize(
    "text",
    [
        "prompt is too long: 202095 tokens > 200000 maximum",
        "messages.0.content: field required",
        "request req_011CZLrUfBVkVHn5T6EqQaf7 failed",
        "model: us.anthropic.claude-opus-5-5-20260101-v1:0",
        "invalid x-api-key",
        "anthropic-ratelimit-input-tokens-remaining is 0",
        "Cannot connect to host api.anthropic.com:443 ssl:default [Connection refused]",
        "Expected one of api_key, auth_token, or credentials to be set",
    ],
)
def test_what_helps_a_developer_stays(text):
    assert redact(text) == text


@given(st.text("key:=sk-'\"\\ (b,)/@?&AaIi09\n"))
def test_redacting_twice_changes_nothing_more(text):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece", ["a://", "key:", "sk-", "eyJ", "A1", '"token', "-----BEGIN ", "x-"]
)
def test_hostile_text_takes_no_more_than_its_length(piece):
    # A quadratic pattern would take minutes here.
    assert redact(piece * 100_000)


def test_detail_is_one_printable_line():
    message = "first\r\nsecond\x00\x1b[31m third\u202e\ud800 end"
    detail = classify(RuntimeError(message), provider="http", now=0.0).internal_detail
    assert detail == "RuntimeError first second [31m third end"
    detail.encode()
