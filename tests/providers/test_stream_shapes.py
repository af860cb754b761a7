"""Streams and messages of odd shape: what is read all the same, and what is not."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from functools import partial

import pytest
from loopback import SSE_HEAD, Peer, Respond, chunk, chunked, fixed
from wire_kit import EVENTS, JSON_HEAD, SAID, TEXT, ask, failed

from failsoft.classify.wire_errors import BadReply, ReplyFailed, StreamCut, StreamFailed


@pytest.mark.parametrize(
    "extra",
    [
        b"event: keep-alive\ndata: \n\n",
        b"event: keep-alive\n\n",
        b"data:\n\n",
        b"event: content_block_delta\ndata: \n\n",
        b"event: heartbeat\ndata: 2026-11-29T10:00:00Z\n\n",
        b'event: heartbeat\ndata: "alive"\n\n',
        b"event: content_block_stop\ndata: {\n\n",
        b"data: [DONE]\n\n",
        b"data: <html>\n\n",
    ],
)
@pytest.mark.parametrize("after", [0, 1, 5, 7])
async def test_an_event_without_data_or_with_any_other_changes_nothing(
    extra: bytes, after: int
) -> None:
    text = b"".join([*EVENTS[:after], extra, *EVENTS[after:]])

    outcome = await ask(chunked(SSE_HEAD, text))

    assert outcome.error is None
    assert outcome.text == SAID


@pytest.mark.parametrize(
    "broken",
    [
        b"event: content_block_delta\ndata: {\n\n",
        b"event: content_block_start\ndata: 7\n\n",
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_de\n\n',
    ],
)
async def test_content_that_cannot_be_read_is_a_cut_stream(broken: bytes) -> None:
    outcome = await ask(chunked(SSE_HEAD, b"".join([*EVENTS[:5], broken, *EVENTS[5:]])))

    assert "no JSON" in failed(outcome, StreamCut).detail
    assert outcome.text == "Hello! How"


@pytest.mark.parametrize("end", ["clean", "pings only", "no stop reason", "half an event", "done"])
async def test_a_stream_without_its_stop_reason_is_cut(end: str) -> None:
    some = b"".join(EVENTS[:5])
    body = {
        "clean": some,
        "pings only": b"event: ping\ndata: {}\n\n" * 3,
        "no stop reason": some + EVENTS[-1],
        "half an event": some + EVENTS[-2][:-1],
        "done": some + b"data: [DONE]\n\n",
    }[end]

    failed(await ask(chunked(SSE_HEAD, body)), StreamCut)


def pings(body: bytes) -> Respond:
    async def respond(peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(body))
        with contextlib.suppress(ConnectionError):
            while True:
                await peer.send(chunk(b"event: ping\ndata: {}\n\n"))
                await asyncio.sleep(0.02)

    return respond


def closes(body: bytes) -> Respond:
    async def respond(peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(body))
        peer.writer.close()

    return respond


@pytest.mark.parametrize("end", [partial(chunked, SSE_HEAD), closes, pings])
async def test_an_answer_that_is_all_here_needs_no_message_stop(
    end: Callable[[bytes], bytes | Respond],
) -> None:
    outcome = await ask(end(b"".join(EVENTS[:-1])))

    assert outcome.error is None
    assert outcome.text == SAID
    assert outcome.message["stop_reason"] == "end_turn"
    assert outcome.events[-1].type == "soft_end"


async def test_an_answer_whose_block_is_open_is_not_all_here() -> None:
    unclosed = [event for event in EVENTS[:-1] if b"content_block_stop" not in event]

    failed(await ask(chunked(SSE_HEAD, b"".join(unclosed))), StreamCut)


async def test_an_error_after_the_stop_reason_is_an_error() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'

    failed(await ask(chunked(SSE_HEAD, b"".join(EVENTS[:-1]) + error)), StreamFailed)


TYPES = [b"", b"content-type: text/plain; charset=utf-8\r\n", b"content-type: application/json\r\n"]


@pytest.mark.parametrize("said", TYPES)
@pytest.mark.parametrize("start", [b"", b": hello\n\n", b"\xef\xbb\xbf", b"\n\n", b"retry: 3\n"])
async def test_a_stream_is_known_by_its_first_bytes(said: bytes, start: bytes) -> None:
    body = start + TEXT

    whole = await ask(chunked(b"HTTP/1.1 200 OK\r\n" + said, body))
    dripping = await ask(
        chunked(b"HTTP/1.1 200 OK\r\n" + said, *(body[i : i + 1] for i in range(9)), body[9:])
    )

    assert (whole.error, whole.text) == (dripping.error, dripping.text) == (None, SAID)


async def test_what_is_no_stream_is_known_by_its_first_bytes_too() -> None:
    message = {"id": "msg", "type": "message", "content": [{"type": "text", "text": "Hi"}]}
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    plain = await ask(fixed(SSE_HEAD, b" " + json.dumps(message).encode()))
    broken = await ask(fixed(SSE_HEAD, json.dumps(error).encode()))
    page = await ask(fixed(SSE_HEAD, b"<!doctype html><h1>502 Bad Gateway</h1>"))

    assert (plain.error, plain.text) == (None, "Hi")
    assert failed(broken, ReplyFailed).body == error
    assert b"Bad Gateway" in failed(page, BadReply).body


async def test_a_plain_message_needs_no_type_but_a_content() -> None:
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}

    nameless = await ask(fixed(JSON_HEAD, json.dumps(message).encode()))
    null = await ask(fixed(JSON_HEAD, b'{"type":"message","content":null}'))

    assert (nameless.error, nameless.text) == (None, "Hi")
    failed(null, BadReply)


@pytest.mark.parametrize(
    "fields",
    [
        b"set-cookie: a=" + b"a" * 9_000 + b"\r\n",
        b"x-policy: " + b"a" * 60_000 + b"\r\n",
        b"".join(b"x-h%d: v\r\n" % n for n in range(150)),
        b"x-request-id: one\r\nx-request-id: one\r\n",
        b"server: one\r\nserver: one\r\n" + b"content-type: text/event-stream\r\n",
    ],
    ids=["a line of 9 KB", "a line of 60 KB", "150 fields", "a field twice", "known fields twice"],
)
async def test_heads_that_proxies_write_are_read(fields: bytes) -> None:
    outcome = await ask(chunked(SSE_HEAD + fields, TEXT))

    assert (outcome.error, outcome.text) == (None, SAID)
