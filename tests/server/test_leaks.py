"""Nothing internal reaches a person, by whatever way out."""

import asyncio
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_kit import FakeProvider, Reply, Step, ask, assistant, call, stream

from failsoft.classify import REASONS, verdict_for
from failsoft.classify.wire_errors import ReplyFailed, StreamCut, StreamFailed
from failsoft.config.settings import CacheSettings, RetrySettings
from failsoft.policy.admission import Guards
from failsoft.server import create_app

HOSTILE = (
    "anthropic.APIStatusError: Error code: 529 - {'type': 'overloaded_error'}",
    "x-api-key: sk-ant-api03-AAAABBBBCCCC",
    'Traceback (most recent call last):\n  File "/srv/app/engine/driver.py", line 7, in run',
    "claude-opus-5-5 at https://api.anthropic.com/v1/messages said HTTP 503",
    "<html><script>alert(1)</script></html>",
    "TypeError: 'NoneType' object is not subscriptable",
    "openai gpt-4o aiohttp.ClientConnectorError [Errno 111] 10.0.0.7:443",
    "{provider} %s \x1b[31m \u202e",
)
LEAKS = re.compile(
    r"""(?ix) sk-ant | anthropic | claude | openai | gpt- | api[_-]?key | aiohttp | httpx
    | traceback | \.py\b | exception | [a-z]+error\b(?<!"error) | errno | http/?\s?\d | https?://
    | overloaded | <script | nonetype | \x1b | \u202e | req_upstream | priority
    | (?<![\d.\w])(?:4\d\d|5\d\d)(?![\d\w]) | status_code | verdict | internal | provider | upstream
    """
)

provider = FakeProvider()
ai = assistant(
    provider,
    retry=RetrySettings(max_attempts=3, base_delay_seconds=0, overloaded_min_seconds=0),
    deadline_seconds=0.3,
    cache=CacheSettings(enabled=False),
)
app = create_app(ai)


async def both_ways(*script: Step) -> list[Reply]:
    """A plain answer and a stream, from a service that remembers nothing of earlier failures."""
    provider.scripts = [script]
    replies = []
    for send in (ask, stream):
        ai._runtime.guards = Guards(
            ai.settings, rng=Random(0), on_change=lambda *_: None, on_held=lambda *_: None
        )
        replies.append(await send(app))
    return replies


def leaks(reply: Reply) -> list[str]:
    text = reply.body.decode()
    # Ids are random, waits are numbers of seconds: neither tells anything of the inside.
    text = re.sub(r"req_[0-9A-Za-z_-]{22,}", "", text)
    text = re.sub(r'"(retry_in_seconds|retry_countdown_seconds)":\d+', "", text)
    text = re.sub(r"\b\d+ (seconds?|minutes?|hours?|days?)", "", text)
    text = re.sub(r'"error_category":"auth_error"', "", text)
    headers = "\n".join(f"{k}: {v}" for k, v in reply.headers.items() if k != "x-request-id")
    return LEAKS.findall(text) + re.findall(r"(?i)sk-ant|anthropic|claude|uvicorn", headers)


def test_the_net_catches_what_it_is_for():
    for hostile in HOSTILE:
        assert LEAKS.search(hostile), hostile


every_verdict = st.builds(
    lambda reason, detail: verdict_for(
        reason, internal_detail=detail, http_status=529, provider_request_id="req_upstream_9"
    ),
    st.sampled_from(REASONS),
    st.sampled_from(HOSTILE) | st.text(max_size=30),
)


@settings(max_examples=150)
@given(verdict=every_verdict, shown=st.lists(st.just("Fine. "), max_size=2))
def test_no_verdict_leaks(verdict, shown):
    """The verdict is planted whole: what classification would have taken out is still in it."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("failsoft.engine.driver.classify", lambda *_, **__: verdict)
        for reply in asyncio.run(both_ways(*shown, RuntimeError("planted"))):
            assert leaks(reply) == []


failures = st.builds(
    lambda kind, status, text, where: kind(
        text,
        status=status,
        headers={"request-id": "req_upstream_9", "x-internal": text},
        body={"type": "error", "error": {"type": where, "message": text}},
    ),
    st.sampled_from([ReplyFailed, StreamFailed, StreamCut]),
    st.sampled_from([200, 400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529]),
    st.sampled_from(HOSTILE),
    st.sampled_from(
        ["api_error", "invalid_request_error", "authentication_error", "content_policy", "x"]
    ),
)
exceptions = st.builds(
    lambda kind, text: kind(text),
    st.sampled_from([RuntimeError, TypeError, ConnectionError, ValueError]),
    st.sampled_from(HOSTILE),
)


@settings(max_examples=150)
@given(failure=failures | exceptions, shown=st.lists(st.just("Fine. "), max_size=2))
def test_no_failure_leaks(failure, shown):
    for reply in asyncio.run(both_ways(*shown, failure)):
        assert leaks(reply) == []


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_no_accident_leaks(hostile, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError(hostile)

    for name in ("ask", "stream"):
        monkeypatch.setattr(f"failsoft.engine.client.Failsoft.{name}", broken)
    for send, status in ((ask, 503), (stream, 200)):
        reply = await send(app)
        assert reply.status == status
        assert leaks(reply) == []


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_no_request_is_thrown_back(hostile):
    for body in ({"message": "?", "model": hostile}, {"message": "?", "locale": hostile}):
        reply = await call(app, body=body)
        assert reply.status == 422
        assert hostile.encode() not in reply.body


async def test_an_answer_tells_nothing_of_its_way():
    for reply in await both_ways("Fine."):
        assert reply.status == 200
        assert leaks(reply) == []


async def test_the_page_tells_nothing():
    page = await call(app, "/", method="GET")
    assert not re.search(r"(?i)sk-ant|anthropic|claude|traceback|\b5\d\d\b", page.body.decode())
