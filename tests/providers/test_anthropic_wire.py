"""The wire provider against real sockets: every way a reply can be, and fail."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from loopback import SSE_HEAD, Loopback, Peer, Respond, chunk, chunked, fixed, serving
from wire_kit import (
    CORPUS,
    EVENTS,
    JSON_HEAD,
    SAID,
    TEXT,
    anthropic_wire,
    ask,
    call,
    exchange_with,
    failed,
    wire_to,
)

from failsoft.classify.wire_errors import (
    BadReply,
    ReplyFailed,
    Stopped,
    StreamCut,
    StreamFailed,
)
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.protocol import WireEvent

HTML_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n"


@pytest.fixture
async def answering() -> AsyncIterator[Loopback]:
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        yield server


# What is sent


async def test_the_request_is_the_sdks(answering: Loopback) -> None:
    provider = wire_to(answering, base_url=answering.url + "/prefix/")

    await exchange_with(provider, call(headers={"Anthropic-Beta": "a,b"}, model="no", stream=False))
    await provider.aclose()

    (request,) = answering.requests
    assert request.line == "POST /prefix/v1/messages HTTP/1.1"
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-beta"] == "a,b"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("failsoft/")
    assert "x-api-key" not in request.headers
    assert json.loads(request.body) == {
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
        "model": "claude-opus-5-5",
        "stream": True,
    }


@pytest.mark.parametrize(
    ("settings", "headers", "sent"),
    [
        ({"auth_token": "token"}, {}, {"authorization": "Bearer token"}),
        ({"api_key": "key", "auth_token": "token"}, {}, {"authorization": "Bearer key"}),
        ({"api_key": "key"}, {"Authorization": "Bearer own"}, {"authorization": "Bearer own"}),
        ({"api_key": "key"}, {"X-Api-Key": "own"}, {"x-api-key": "own"}),
        ({}, {"x-api-key": "own"}, {"x-api-key": "own"}),
    ],
)
async def test_which_key_is_sent(
    answering: Loopback, settings: dict[str, str], headers: dict[str, str], sent: dict[str, str]
) -> None:
    provider = anthropic_wire(base_url=answering.url, **settings)

    await exchange_with(provider, call(headers=headers))
    await provider.aclose()

    (request,) = answering.requests
    keys = {k: v for k, v in request.headers.items() if k in {"authorization", "x-api-key"}}
    assert keys == sent


async def test_without_a_key_nothing_is_sent(answering: Loopback) -> None:
    provider = anthropic_wire(base_url=answering.url)

    failure = failed(await exchange_with(provider), ReplyFailed)

    assert failure.status == 401
    assert "ANTHROPIC_API_KEY" in failure.detail
    assert answering.connections == 0


async def test_headers_that_frame_the_body_are_not_the_callers(answering: Loopback) -> None:
    provider = wire_to(answering)

    outcome = await exchange_with(
        provider,
        call(headers={"Content-Length": "3", "Transfer-Encoding": "chunked", "Host": "x",
                      "Accept": "text/html", "Anthropic-Version": "2023-06-01"}),
    )  # fmt: skip
    await provider.aclose()

    assert outcome.text == SAID
    (request,) = answering.requests
    assert request.headers["host"].startswith("127.0.0.1")
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["anthropic-version"] == "2023-06-01"


async def test_a_lone_surrogate_in_a_question_is_sent(answering: Loopback) -> None:
    provider = wire_to(answering)

    outcome = await exchange_with(provider, call(system="caf\u00e9 \ud800"))
    await provider.aclose()

    assert outcome.error is None
    assert json.loads(answering.requests[0].body)["system"] == "café ?"


@pytest.mark.parametrize(
    ("value", "kind"), [(float("nan"), ValueError), (object(), TypeError), (b"x", TypeError)]
)
async def test_a_body_that_is_no_json_is_refused_before_sending(
    answering: Loopback, value: object, kind: type[Exception]
) -> None:
    outcome = await exchange_with(wire_to(answering), call(system=value))

    assert type(outcome.error) is kind
    assert answering.connections == 0


# What comes back


@pytest.mark.parametrize("name", sorted(CORPUS))
async def test_every_stream_is_read_to_its_end(name: str) -> None:
    stream = CORPUS[name]

    outcome = await ask(chunked(SSE_HEAD, *(stream[i : i + 7] for i in range(0, len(stream), 7))))

    if name.startswith(("refusal", "context_window")):
        assert failed(outcome, Stopped).body == outcome.message
    else:
        assert outcome.error is None
    assert outcome.events[-1].type == "message_stop"
    blocks = [block for block in outcome.message["content"] if block["type"] == "text"]
    assert outcome.text == "".join(block["text"] for block in blocks)


async def test_what_counts_as_content() -> None:
    async def content_of(name: str) -> list[tuple[str, str]]:
        outcome = await ask(chunked(SSE_HEAD, CORPUS[name]))
        kinds = [(event.type, event.data) for event in outcome.events if event.content]
        return [
            (kind, data.get("delta", data.get("content_block", {})).get("type"))
            for kind, data in kinds
        ]

    assert await content_of("empty_text") == []
    assert await content_of("no_content") == []
    assert await content_of("text_in_start") == [
        ("content_block_start", "text"),
        ("content_block_delta", "text_delta"),
    ]
    assert await content_of("thinking_omitted") == [
        ("content_block_delta", "signature_delta"),
        ("content_block_delta", "text_delta"),
    ]
    assert await content_of("unknown_delta") == [
        ("content_block_delta", "text_delta"),
        ("content_block_delta", "text_delta"),
    ]
    assert (await content_of("redacted_thinking"))[0] == (
        "content_block_start",
        "redacted_thinking",
    )
    assert ("content_block_start", "tool_use") not in await content_of("tool_use_without_arguments")
    assert ("content_block_start", "web_search_tool_result") in await content_of("web_search")
    assert await content_of("unknown_events") == [("content_block_delta", "text_delta")] * 2


async def test_unknown_events_and_fields_are_passed_on() -> None:
    outcome = await ask(chunked(SSE_HEAD, CORPUS["unknown_events"]))

    unknown = [event for event in outcome.events if event.type == "vendor.metrics"]
    assert [event.data["latency_ms"] for event in unknown] == [12]


async def test_an_event_without_a_name_is_read() -> None:
    nameless = b"\n".join(line for line in TEXT.split(b"\n") if not line.startswith(b"event:"))

    outcome = await ask(chunked(SSE_HEAD, nameless))

    assert outcome.error is None
    assert outcome.text == SAID


async def test_the_message_is_that_of_the_events_given_out() -> None:
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server)
        async with provider.exchange(call()) as exchange:
            assert exchange.request_id == "req_1"
            assert exchange.headers["content-type"] == "text/event-stream"
            assert exchange.message == {}
            text = ""
            async for event in exchange:
                text += event.text
                said = [block["text"] for block in exchange.message["content"]]
                assert "".join(said) == text
        await provider.aclose()


async def test_a_status_is_a_failed_reply() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    head = b"HTTP/1.1 529 Overloaded\r\nRetry-After: 7\r\ncontent-type: application/json\r\n"

    failure = failed(await ask(fixed(head, body)), ReplyFailed)

    assert failure.status == 529
    assert failure.headers["retry-after"] == "7"
    assert failure.body == body


async def test_an_error_body_is_read_up_to_a_bound() -> None:
    body = b"<html>" * 100_000

    failure = failed(await ask(fixed(b"HTTP/1.1 502 Bad Gateway\r\n", body)), ReplyFailed)

    assert failure.status == 502
    assert failure.body == body[: 64 * 1024]


async def test_an_endless_error_body_is_not_waited_for() -> None:
    async def flood(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.send(chunk(b"x" * 8192))

    assert failed(await ask(flood), ReplyFailed).status == 500


async def test_an_error_body_that_never_comes_does_not_hide_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 100\r\n\r\n{")
        await peer.gone()

    monkeypatch.setattr("failsoft.providers.event_exchange._ERROR_BODY_SECONDS", 0.01)

    assert failed(await ask(silent), ReplyFailed).status == 529


async def test_an_error_body_cut_short_is_still_that_error() -> None:
    async def cut(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 429 Slow down\r\ncontent-length: 100\r\n\r\n{")
        peer.writer.close()

    failure = failed(await ask(cut), ReplyFailed)

    assert (failure.status, failure.body) == (429, b"{")


async def test_an_error_in_the_body_of_a_200() -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    failure = failed(await ask(fixed(JSON_HEAD, json.dumps(body).encode())), ReplyFailed)

    assert (failure.status, failure.body) == (200, body)


async def test_a_plain_message_is_taken() -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Hé"}, {"type": "tool_use", "input": {}}],
        "stop_reason": "end_turn",
        "usage": {"output_tokens": 3},
    }

    outcome = await ask(fixed(JSON_HEAD, json.dumps(message).encode()))

    assert outcome.error is None
    assert outcome.events == [WireEvent("message", message, content=True, text="Hé")]
    assert outcome.message == message


async def test_a_plain_refusal_is_stopped() -> None:
    message = {"type": "message", "content": [], "stop_reason": "refusal"}

    outcome = await ask(fixed(JSON_HEAD, json.dumps(message).encode()))

    assert failed(outcome, Stopped).body == message
    assert [event.type for event in outcome.events] == ["message"]


@pytest.mark.parametrize(
    "reply",
    [
        fixed(HTML_HEAD, b"<html><body>Please log in</body></html>"),
        fixed(JSON_HEAD, b'{"type":"message","content":[{"type":"te'),
        fixed(JSON_HEAD, b""),
        fixed(JSON_HEAD, b"[1]"),
        fixed(JSON_HEAD, b'"message"'),
        fixed(JSON_HEAD, b'{"type":["message"]}'),
        fixed(JSON_HEAD, b'{"type":"completion"}'),
        fixed(JSON_HEAD, b"\xff\xfe"),
        fixed(b"HTTP/1.1 200 OK\r\n", b""),
        fixed(SSE_HEAD, b""),
        fixed(SSE_HEAD, b"<html>\n\n</html>\n\n"),
        fixed(SSE_HEAD, b": nothing but a comment\n\n"),
        fixed(SSE_HEAD, b"data: [DONE]\n\n"),
        fixed(SSE_HEAD, b"data: 17\n\n"),
        fixed(SSE_HEAD, b'data: {"type": "message_start"'),
        fixed(SSE_HEAD, b"data: " + b"[" * 100_000 + b"\n\n"),
    ],
    ids=lambda reply: repr(reply.rpartition(b"\r\n\r\n")[2][:24]),
)
async def test_a_200_that_is_no_reply(reply: bytes) -> None:
    outcome = await ask(reply)

    failed(outcome, BadReply)
    assert outcome.events == []


async def test_an_event_too_large() -> None:
    async def endless_event(peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"data: "))
        while True:
            await peer.send(chunk(b"x" * 65536))

    assert "16777216" in failed(await ask(endless_event), BadReply).detail


@pytest.mark.parametrize("name", [b"event: error\n", b""])
async def test_an_error_event(name: bytes) -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'

    outcome = await ask(
        chunked(SSE_HEAD, b"".join(EVENTS[:5]) + name + b"data: " + error + b"\n\n")
    )

    failure = failed(outcome, StreamFailed)
    assert failure.body == json.loads(error)
    assert failure.status == 200
    assert failure.headers["request-id"] == "req_1"
    assert len(outcome.events) == 5


async def test_an_error_event_that_is_no_json() -> None:
    outcome = await ask(chunked(SSE_HEAD, b"event: error\ndata: upstream exploded\n\n"))

    assert failed(outcome, StreamFailed).body == "upstream exploded"


async def test_a_ping_may_carry_anything() -> None:
    outcome = await ask(chunked(SSE_HEAD, b"event: ping\ndata: pong\n\n" + TEXT))

    assert outcome.error is None
    assert outcome.events[0] == WireEvent("ping", {"type": "ping"}, content=False, text="")


BROKEN_FRAMING = {
    "no size": b"rubbish\r\n",
    "size too large": b"f" * 40 + b"\r\n",
    "chunk too long": b"3\r\n: long\r\n",
    "bad trailer": b"0\r\nbad trailer\r\n\r\n",
}


def breaking(*, how: str) -> Respond:
    async def respond(peer: Peer) -> None:
        some = b"".join(EVENTS[:5])
        if how == "length":
            await peer.send(SSE_HEAD + b"content-length: 99999\r\n\r\n" + some)
        else:
            await peer.send(SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(some))
        await asyncio.sleep(0.02)  # let the client read what came
        if how == "reset":
            peer.reset()
        elif how == "half-close":
            peer.writer.write_eof()
            await peer.gone()
        elif how in BROKEN_FRAMING:
            await peer.send(BROKEN_FRAMING[how])
            await peer.gone()
        peer.writer.close()

    return respond


@pytest.mark.parametrize("how", ["reset", "close", "half-close", "length", *BROKEN_FRAMING])
async def test_a_broken_connection_is_a_cut_stream(how: str) -> None:
    outcome = await ask(breaking(how=how))

    failure = failed(outcome, StreamCut)
    assert isinstance(failure.__cause__, aiohttp.ClientError | OSError)
    assert outcome.text == "Hello! How"
    assert outcome.message["content"] == [{"type": "text", "text": "Hello! How"}]


async def test_a_plain_message_cut_by_the_connection() -> None:
    async def cut(peer: Peer) -> None:
        await peer.send(JSON_HEAD + b"content-length: 100\r\n\r\n{")
        peer.writer.close()

    failed(await ask(cut), StreamCut)


async def test_a_hang_up_before_the_headers_is_the_transports_own() -> None:
    async def hang_up(peer: Peer) -> None:
        peer.writer.close()

    assert isinstance((await ask(hang_up)).error, aiohttp.ServerDisconnectedError)


async def test_what_is_not_http_is_the_transports_own() -> None:
    assert isinstance((await ask(b"SSH-2.0-OpenSSH_9.2p1\r\n")).error, aiohttp.ClientResponseError)


async def test_nobody_listens() -> None:
    async with serving(b"") as server:
        pass
    provider = wire_to(server)

    outcome = await exchange_with(provider)
    await provider.aclose()

    assert isinstance(outcome.error, aiohttp.ClientConnectorError)


async def test_the_end_is_the_same_whenever_it_is_asked_for() -> None:
    async with serving(chunked(SSE_HEAD, b"".join(EVENTS[:5]))) as server:
        provider = wire_to(server)
        async with provider.exchange(call()) as exchange:
            for _ in range(2):
                with pytest.raises(StreamCut):
                    async for _ in exchange:
                        pass
        await provider.aclose()


async def test_a_stream_may_be_compressed() -> None:
    head = SSE_HEAD + b"content-encoding: gzip\r\n"
    packed = gzip.compress(TEXT)

    whole = await ask(chunked(head, packed[:50], packed[50:]))
    cut = await ask(chunked(head, packed[:-40]))
    rubbish = await ask(chunked(head, b"\x00" * 50))

    assert whole.text == SAID
    assert type(cut.error) is StreamCut
    assert type(rubbish.error) is StreamCut


async def test_events_after_message_stop_are_ignored() -> None:
    late = b'event: error\ndata: {"type":"error"}\n\n' + EVENTS[4]

    outcome = await ask(chunked(SSE_HEAD, TEXT + late))

    assert outcome.error is None
    assert outcome.text == SAID


class Flood:
    """A reply that has all of its body at once."""

    status, headers, ended = 200, {"content-type": "text/event-stream"}, False

    def __init__(self, body: bytes) -> None:
        self._left = [body]

    async def read(self) -> bytes:
        return self._left.pop() if self._left else b""

    async def free(self) -> None: ...


async def test_a_flood_of_lines_without_meaning_leaves_turns_to_others() -> None:
    async def send() -> Flood:
        return Flood(b": x\n\n" * 200_000)

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    async with AnthropicExchange(send, max_bytes=10_000_000) as exchange:
        with pytest.raises(BadReply, match="no event came"):
            await anext(exchange)
    other.cancel()
    assert turns > 50
