"""Replies under a 200 that the SDK could not read, or would read as another answer."""

import json

import anthropic
import pytest
from loopback import SSE_HEAD, fixed, serving
from test_wrap_as_bare import JSON_HEAD, MESSAGE, event
from test_wrap_failures import KINDS, create
from wrap_kit import OPUS, QUESTION, SONNET, Wrapped, sdk_client

import failsoft
from failsoft import answer_of

OK_HEAD = b"HTTP/1.1 200 OK\r\n" + JSON_HEAD
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
STOPS = (
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)


def start(model):
    return {"type": "message_start", "message": {**MESSAGE, "model": model, "content": []}}


def delta(text, index=0):
    change = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": index, "delta": change}


def stream(*events):
    return b"".join(event(one["type"], json.dumps(one).encode()) for one in events)


def message(model, text):
    content = [{"type": "text", "text": text}]
    return json.dumps({**MESSAGE, "model": model, "content": content}).encode()


START_TOKENS = MESSAGE["usage"]["output_tokens"]
WHOLE = stream(start(OPUS), BLOCK, delta("A"), *STOPS)
NEXT = {
    True: fixed(SSE_HEAD, stream(start(SONNET), BLOCK, delta("B"), *STOPS)),
    False: fixed(OK_HEAD, message(SONNET, "B")),
}


def answering(first, *, streams):
    """The first model answers with these bytes, the next one as it should."""

    async def respond(peer):
        model = json.loads(peer.request.body)["model"]
        await peer.send(first if model == OPUS else NEXT[streams])

    return serving(respond)


@KINDS
@pytest.mark.parametrize(
    "reply",
    [
        fixed(SSE_HEAD, WHOLE),
        fixed(OK_HEAD, WHOLE),
        fixed(OK_HEAD, message(OPUS, "A").replace(b'"A"', b'"\xff\xc3"')),
    ],
    ids=["events", "events that are called JSON", "not UTF-8"],
)
async def test_a_message_that_the_sdk_cannot_read_is_asked_of_the_next_model(kind, reply):
    async with answering(reply, streams=False) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        raw = await use.do(lambda client: client.messages.with_raw_response.create(**QUESTION))
        assert raw.http_response.json()["model"] == SONNET
        assert str(answer_of(raw).attempts[0].verdict) == "unknown · bad_reply"
        await use.do(lambda client: client.close())


@KINDS
async def test_a_redirect_in_a_circle_is_walked_once(kind):
    circle = fixed(b"HTTP/1.1 307 Moved\r\nlocation: /v1/messages\r\n", b"")
    async with serving(circle) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        with pytest.raises(anthropic.APIConnectionError) as caught:
            await create(use)
        assert str(answer_of(caught.value).verdict) == "auth_error · wrong_address"
        assert len(answer_of(caught.value).attempts) == 1
        await use.do(lambda client: client.close())


async def helped(use):
    """The text and the final message of ``messages.stream``."""

    def read(entered):
        return "".join(entered.text_stream), entered.get_final_message()

    async def read_async(entered):
        text = [piece async for piece in entered.text_stream]
        return "".join(text), await entered.get_final_message()

    manager = use.client.messages.stream(**QUESTION)
    return await use.within(manager, read_async if use.is_async else read)


@KINDS
@pytest.mark.parametrize(
    "reply",
    [
        fixed(OK_HEAD, message(OPUS, "A")),
        fixed(SSE_HEAD, message(OPUS, "A")),
        fixed(SSE_HEAD, stream(start(OPUS), delta("A"), *STOPS)),
        fixed(SSE_HEAD, stream(start(OPUS), {**BLOCK, "index": 1}, delta("A", 1), *STOPS)),
        fixed(SSE_HEAD, stream(BLOCK, delta("A"), *STOPS)),
    ],
    ids=["JSON", "JSON that is called events", "no block", "no such block", "no message"],
)
async def test_a_stream_that_the_sdk_cannot_read_is_asked_of_the_next_model(kind, reply):
    async with answering(reply, streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        text, whole = await helped(use)
        assert (text, whole.model, len(server.requests)) == ("B", SONNET, 2)
        await use.do(lambda client: client.close())


@KINDS
@pytest.mark.parametrize(
    "body",
    [
        WHOLE + WHOLE,
        WHOLE + stream(delta("B")),
        WHOLE.replace(b"event: content_block_delta\n", b""),
        b"\xef\xbb\xbf" + WHOLE,
        WHOLE.replace(b"\n\n", b"\n\n" + event("news", b"{cut"), 3),
        stream(STOPS[0]) + WHOLE,
        WHOLE.replace(
            b"event: message_delta", stream({**STOPS[0], "index": 5}) + b"event: message_delta"
        ),
        WHOLE.replace(b'data: {"type": "message_stop"}', b"data: done"),
    ],
    ids=[
        *("twice", "text after the end", "no name", "BOM", "broken news"),
        *("the end of no block", "the end of another block", "broken end"),
    ],
)
async def test_the_sdk_reads_in_a_stream_what_failsoft_reads(kind, body):
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        text, whole = await helped(use)
        assert (text, whole.content[0].text, whole.model) == ("A", "A", OPUS)
        assert (len(whole.content), len(server.requests)) == (1, 1)
        await use.do(lambda client: client.close())


def without(body, name, *path):
    """``body`` with the first event of that name changed: the field at ``path`` is null."""
    events = [one + b"\n\n" for one in body.split(b"\n\n") if one]
    at = next(i for i, one in enumerate(events) if one.startswith(b"event: " + name.encode()))
    data = json.loads(events[at].partition(b"data: ")[2])
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = None
    events[at] = stream(data)
    return b"".join(events)


@KINDS
@pytest.mark.parametrize(
    ("event", "path"),
    [
        ("message_start", ("message", "usage")),
        ("message_start", ("message", "content")),
        ("content_block_start", ("content_block", "text")),
        ("content_block_delta", ("delta",)),
        ("content_block_delta", ("delta", "text")),
        ("content_block_delta", ("delta", "type")),
        ("message_delta", ("usage",)),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else value,
)
async def test_a_null_that_brings_nothing_is_read_as_failsoft_reads_it(kind, event, path):
    more = stream(delta("B"))
    whole = WHOLE.replace(b"event: content_block_stop", more + b"event: content_block_stop")
    body = without(whole, event, *path)
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        text, message = await helped(use)
        await use.do(lambda client: client.close())
    expected = "B" if event == "content_block_delta" else "AB"
    assert (text, message.content[0].text, message.model) == (expected, expected, OPUS)
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == (1 if path != ("usage",) else START_TOKENS)


@KINDS
async def test_usage_that_is_null_everywhere_is_none(kind):
    body = without(without(WHOLE, "message_start", "message", "usage"), "message_delta", "usage")
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        text, message = await helped(use)
        await use.do(lambda client: client.close())
    assert (text, message.model, message.usage.output_tokens) == ("A", OPUS, 0)


@KINDS
@pytest.mark.parametrize(
    ("event", "part"), [("message_start", "message"), ("content_block_start", "content_block")]
)
async def test_one_that_leaves_the_answer_without_its_start_is_a_verdict(kind, event, part):
    body = without(WHOLE, event, part)
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        text, message = await helped(use)
        assert (text, message.model, len(server.requests)) == ("B", SONNET, 2)
        await use.do(lambda client: client.close())


@KINDS
async def test_text_without_its_block_breaks_off_an_answer_that_began(kind):
    body = stream(start(OPUS), BLOCK, delta("A"), delta("B", 1), *STOPS)
    seen = []
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        begun = await create(use, stream=True)
        with pytest.raises(anthropic.APIConnectionError, match="before the start of its") as caught:
            await use.each_into(seen, begun)
        await use.do(lambda client: client.close())
    assert seen[-1].delta.text == "A"
    assert str(answer_of(caught.value).verdict) == "transient · stream_cut"


@KINDS
async def test_an_error_is_raised_whatever_the_event_is_called(kind):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    body = stream(start(OPUS), BLOCK, delta("A")) + event("oops", json.dumps(error).encode())
    async with answering(fixed(SSE_HEAD, body), streams=True) as server:
        use = Wrapped(failsoft.wrap(sdk_client(kind, server.url), chain=[SONNET]), None, [])
        begun = await create(use, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            await use.each(begun)
        await use.do(lambda client: client.close())
