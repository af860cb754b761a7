"""An answer that never ends, or that unpacks to gigabytes, costs what an answer may cost."""

import gzip
import json
from contextlib import asynccontextmanager

import anthropic
import pytest
from loopback import SSE_HEAD, chunk, chunked, fixed, serving
from wrap_kit import QUESTION, Wrapped, sdk_client

from failsoft import Failsoft, Settings, answer_of, wrap
from failsoft.config.settings import CacheSettings, ProviderSettings, RetrySettings
from failsoft.policy.breaker import CircuitState

OPUS = "anthropic/claude-opus-5-5"
LIMIT = 100_000
START = {"type": "message_start", "message": {"role": "assistant", "content": []}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
END = [
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]


def sse(*events):
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def words(text):
    return {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": text},
    }


FILLED = words("x" * 10_000)
MESSAGE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "x" * (2 * LIMIT)}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
PLAIN = json.dumps(MESSAGE).encode()
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BOMB = gzip.compress(sse(START, BLOCK, *[words(" " * 1_000_000)] * 50))


async def without_end(peer):
    """Sends words until nobody listens."""
    await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(sse(START, BLOCK)))
    for _ in range(100_000):
        await peer.send(chunk(sse(FILLED)))


REPLIES = {
    "stream": without_end,
    "plain": fixed(JSON_HEAD, PLAIN),
    "bomb": chunked(SSE_HEAD + b"content-encoding: gzip\r\n", BOMB),
    "bomb in a message": fixed(JSON_HEAD + b"content-encoding: gzip\r\n", gzip.compress(PLAIN)),
}


async def respond(peer, reply):
    await (reply(peer) if callable(reply) else peer.send(reply))


@asynccontextmanager
async def answering(reply, **more):
    async with serving(lambda peer: respond(peer, reply)) as server:
        settings = Settings(
            anthropic=ProviderSettings(api_key="k", base_url=server.url),
            cache=CacheSettings(enabled=False),
            retry=RetrySettings(max_attempts=1),
            max_answer_bytes=LIMIT,
            **more,
        )
        async with Failsoft(settings, chain=[OPUS]) as ai:
            yield ai, server


@pytest.mark.parametrize("kind", REPLIES)
async def test_it_is_ended_and_is_no_answer(kind):
    async with answering(REPLIES[kind]) as (ai, _):
        answer = await ai.ask("hi")
    assert (answer.status, str(answer.verdict)) == ("error", "unknown · bad_reply")
    assert "max_answer_bytes" in answer.verdict.internal_detail
    assert len(json.dumps(answer.message or {})) < 2 * LIMIT


async def test_what_was_shown_of_it_stays_and_no_breaker_opens():
    async with answering(REPLIES["stream"]) as (ai, server):
        for _ in range(12):
            async with ai.stream("hi") as events:
                last = [event async for event in events][-1]
            assert last.type == "stream_interrupted"
            assert 0 < last.chars_before_error <= LIMIT
        assert ai.circuit_state is CircuitState.CLOSED
        assert len(server.requests) == 12


async def test_one_of_just_the_size_is_an_answer():
    begin, end = sse(START, BLOCK, words("fine")), sse(*END)
    for more, status in ((0, "success"), (1, "error")):
        padding = b":" + b"x" * (LIMIT - len(begin + end) - 3 + more) + b"\n\n"
        reply = chunked(SSE_HEAD, begin, padding, end)
        async with answering(reply) as (ai, _):
            assert (await ai.ask("hi")).status == status


async def plain_without_end(peer):
    """Begins a message whose text never ends, until nobody listens."""
    await peer.send(JSON_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(PLAIN[:-LIMIT]))
    for _ in range(100_000):
        await peer.send(chunk(b"x" * 10_000))


def passes_on(kind):
    """Middleware that looks at each reply, as a logger does."""

    async def look_async(request, call_next):
        response = await call_next(request)
        assert 0 < len(response.http_response.content) <= MOST_READ
        return response

    def look(request, call_next):
        response = call_next(request)
        assert 0 < len(response.http_response.content) <= MOST_READ
        return response

    return look_async if kind == "async" else look


MOST_READ = LIMIT + 2**20  # the SDK's client unpacks so much at a time
BOMB_HEAD = JSON_HEAD + b"content-encoding: gzip\r\n"
LARGE = {
    "without an end": plain_without_end,
    "unpacked": fixed(BOMB_HEAD, gzip.compress(PLAIN[:-9] + b"x" * 50_000_000)),
}


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("reply", LARGE)
@pytest.mark.parametrize("form", ["create", "raw", "later", "middleware"])
async def test_a_wrapped_message_is_read_no_further_than_an_answer_may_go(kind, reply, form):
    async with serving(lambda peer: respond(peer, LARGE[reply])) as server:
        middleware = [passes_on(kind)] if form == "middleware" else []
        bare = sdk_client(kind, server.url, middleware=middleware)
        settings = Settings(max_answer_bytes=LIMIT, retry=RetrySettings(max_attempts=1))
        use = Wrapped(wrap(bare, settings=settings), None, [])
        with pytest.raises(
            anthropic.APIResponseValidationError, match="max_answer_bytes"
        ) as caught:
            await asked(use, form)
        await use.do(lambda client: client.close())
    assert str(answer_of(caught.value).verdict) == "unknown · bad_reply"


async def asked(use, form):
    if form == "later":
        later = use.client.messages.with_streaming_response.create(**QUESTION)
        return await use.within(later, lambda response: response)
    if form == "raw":
        return await use.do(lambda client: client.messages.with_raw_response.create(**QUESTION))
    return await use.do(lambda client: client.messages.create(**QUESTION))


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("copy", ["append", "replace", "plain"])
async def test_so_it_is_by_a_copy_of_the_client(kind, copy):
    async with serving(lambda peer: respond(peer, plain_without_end)) as server:
        settings = Settings(max_answer_bytes=LIMIT, retry=RetrySettings(max_attempts=1))
        client = wrap(sdk_client(kind, server.url), settings=settings)
        own = passes_on(kind)
        given = {"append": [*client.middleware, own], "replace": iter([own])}.get(copy)
        client = client.with_options(**({} if given is None else {"middleware": given}))
        use = Wrapped(client, None, [])
        with pytest.raises(anthropic.APIResponseValidationError, match="max_answer_bytes"):
            await asked(use, "create")
        await use.do(lambda client: client.close())


async def test_a_wrapped_stream_passes_whatever_its_length():
    many = chunked(SSE_HEAD, sse(START, BLOCK), *[sse(FILLED)] * 40, sse(*END))
    async with serving(lambda peer: respond(peer, many)) as server:
        bare = anthropic.AsyncAnthropic(api_key="k", base_url=server.url)
        client = wrap(bare, settings=Settings(max_answer_bytes=LIMIT))
        question = [{"role": "user", "content": "hi"}]
        stream = await client.messages.create(
            model="claude-opus-5-5", max_tokens=9, messages=question, stream=True
        )
        events = [event async for event in stream]
        await bare.close()
    texts = [e.delta.text for e in events if e.type == "content_block_delta"]
    assert (len(texts), sum(map(len, texts)), events[-1].type) == (40, 400_000, "message_stop")
