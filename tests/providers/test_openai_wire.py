"""Chat Completions on the wire: real bytes in, events and messages of the Messages API out."""

import json
from typing import Any

import pytest
from loopback import SSE_HEAD, Loopback, Peer, chunk, chunked, fixed, serving
from wire_kit import Outcome, exchange_with

from failsoft.classify import classify
from failsoft.classify.wire_errors import BadReply, ReplyFailed, Stopped, StreamCut, StreamFailed
from failsoft.config.services import service_of
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.policy.target import Target
from failsoft.providers.openai import OpenAIWire
from failsoft.providers.openai_stream import OpenAIExchange
from failsoft.providers.protocol import ProviderCall

BODY = {"messages": [{"role": "user", "content": "hi"}]}
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_2\r\n"


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    told = {"content": content} if content is not None else {}
    choice = {"index": 0, "delta": told, "finish_reason": finish, **more}
    return {"id": "chatcmpl-1", "model": "gpt-5.5-2026", "choices": [choice]}


USAGE = {
    "id": "chatcmpl-1",
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
ERROR = {"error": {"message": "The engine died", "type": "server_error", "code": 503}}
HELLO = (delta("", role="assistant"), delta("Hel"), delta("lo"))


def sse(*chunks: dict[str, Any] | str) -> bytes:
    texts = (one if isinstance(one, str) else json.dumps(one) for one in chunks)
    return b"".join(b"data: %b\n\n" % text.encode() for text in texts)


def stream(*chunks: dict[str, Any] | str) -> bytes:
    return chunked(SSE_HEAD, sse(*chunks))


def target() -> Target:
    return Target(provider="openai", model="gpt-5.5")


async def asked(reply: bytes, *, cut: bool = False, **settings: Any) -> tuple[Outcome, Loopback]:
    async def respond(peer: Peer) -> None:
        await peer.send(reply)
        if cut:
            peer.reset()

    async with serving(respond) as server:
        own = NamedProviderSettings(base_url=f"{server.url}/v1", api_key="sk-test", **settings)
        wire = OpenAIWire(service_of("openai", Settings(providers={"openai": own})))
        call = ProviderCall(target=target(), body=BODY, headers={"X-Trace": "1"})
        outcome = await exchange_with(wire, call)
        await wire.aclose()
    return outcome, server


async def test_a_stream_is_a_message() -> None:
    outcome, server = await asked(stream(*HELLO, delta(finish="stop"), USAGE, "[DONE]"))

    assert outcome.error is None
    assert "".join(event.text for event in outcome.events) == "Hello"
    assert outcome.message["content"] == [{"type": "text", "text": "Hello"}]
    assert outcome.message["stop_reason"] == "end_turn"
    assert outcome.message["usage"]["input_tokens"] == 9
    assert outcome.message["usage"]["output_tokens"] == 2
    (request,) = server.requests
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.headers["x-trace"] == "1"
    sent = json.loads(request.body)
    assert (sent["model"], sent["stream"]) == ("gpt-5.5", True)
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "end",
    [
        (delta(finish="stop"), "[DONE]"),
        (delta(finish="stop"),),
        (delta("", finish="stop"), USAGE),
        (delta(finish="stop"), "{broken", "[DONE]"),
    ],
    ids=["no usage", "no done", "usage last", "a broken event behind the end"],
)
async def test_an_answer_is_whole_with_its_finish_reason(end: tuple[Any, ...]) -> None:
    outcome, _ = await asked(stream(*HELLO, *end))

    assert outcome.error is None
    assert outcome.message["stop_reason"] == "end_turn"
    assert outcome.message["content"] == [{"type": "text", "text": "Hello"}]
    assert not any(event.type == "soft_end" for event in outcome.events)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ((), StreamCut),
        (("[DONE]",), StreamCut),
        (("{broken",), StreamCut),
        (('{"choices": [{"delta": {"con',), StreamCut),
        ((ERROR,), StreamFailed),
        ((ERROR, "[DONE]"), StreamFailed),
        (({**delta(finish="error"), **ERROR},), StreamFailed),
        (({"object": "error", "message": "no", "type": "x", "code": 500},), StreamFailed),
        ((delta(finish="content_filter"), "[DONE]"), Stopped),
    ],
)
async def test_what_was_given_stays_and_the_end_is_told(end: Any, kind: type[Exception]) -> None:
    outcome, _ = await asked(stream(*HELLO, *end))

    assert isinstance(outcome.error, kind)
    assert "".join(event.text for event in outcome.events) == "Hello"
    assert outcome.message["content"] == [{"type": "text", "text": "Hello"}]


async def test_two_choices_are_whole_when_both_are() -> None:
    second = delta("x")
    second["choices"][0]["index"] = 1
    outcome, _ = await asked(stream(*HELLO, second, delta(finish="stop"), "[DONE]"))

    assert isinstance(outcome.error, StreamCut)


async def test_a_connection_that_breaks_behind_the_finish_reason_loses_nothing() -> None:
    head = SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n"
    outcome, _ = await asked(head + chunk(sse(*HELLO, delta(finish="stop"))), cut=True)

    assert outcome.error is None
    assert outcome.message["stop_reason"] == "end_turn"
    assert outcome.events[-1].type == "soft_end"


async def test_a_service_that_does_not_stream_is_read_too() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}}
    plain = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}
    plain["choices"][0]["finish_reason"] = "length"
    outcome, _ = await asked(fixed(JSON_HEAD, json.dumps(plain).encode()))

    assert outcome.error is None
    assert [event.text for event in outcome.events] == ["Hi"]
    assert outcome.message["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("reply", "kind", "verdict"),
    [
        (fixed(JSON_HEAD, json.dumps(ERROR).encode()), ReplyFailed, "transient · unavailable"),
        (fixed(JSON_HEAD, b'{"choices": []}'), BadReply, "unknown · bad_reply"),
        (
            fixed(JSON_HEAD.replace(b"200 OK", b"401 No"), b'{"error": {"code": "x"}}'),
            ReplyFailed,
            "auth_error · authentication",
        ),
        (
            fixed(
                JSON_HEAD.replace(b"200 OK", b"429 Slow"),
                b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}',
            ),
            ReplyFailed,
            "auth_error · billing",
        ),
    ],
)
async def test_an_error_is_one_whatever_its_status(
    reply: bytes, kind: type[Exception], verdict: str
) -> None:
    outcome, _ = await asked(reply)

    assert isinstance(outcome.error, kind)
    assert str(classify(outcome.error, provider="openai")) == verdict


async def test_tools_are_asked_for_in_pieces() -> None:
    call = {"index": 0, "id": "call_1", "type": "function"}
    pieces = [
        delta(),
        delta(),
        delta(),
    ]
    pieces[0]["choices"][0]["delta"] = {
        "tool_calls": [{**call, "function": {"name": "weather", "arguments": ""}}]
    }
    pieces[1]["choices"][0]["delta"] = {
        "tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Gr'}}]
    }
    pieces[2]["choices"][0]["delta"] = {
        "tool_calls": [{"index": 0, "function": {"arguments": 'az"}'}}]
    }
    outcome, _ = await asked(stream(*pieces, delta(finish="tool_calls"), "[DONE]"))

    assert outcome.error is None
    assert outcome.message["stop_reason"] == "tool_use"
    (block,) = outcome.message["content"]
    assert (block["type"], block["name"], block["input"]) == (
        "tool_use",
        "weather",
        {"city": "Graz"},
    )


async def test_without_a_key_nothing_is_sent() -> None:
    async with serving(b"") as server:
        own = NamedProviderSettings(base_url=server.url)
        wire = OpenAIWire(service_of("openai", Settings(providers={"openai": own})))
        outcome = await exchange_with(wire, ProviderCall(target=target(), body=BODY))
        await wire.aclose()

    assert isinstance(outcome.error, ReplyFailed)
    assert outcome.error.status == 401
    assert "OPENAI_API_KEY" in str(outcome.error)
    assert server.requests == []


def plain(*choices: Any) -> bytes:
    return fixed(JSON_HEAD, json.dumps({"id": "c1", "choices": list(choices)}).encode())


SAID = {"index": 0, "message": {"content": "hi"}}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (plain(SAID), BadReply),
        (plain(3), BadReply),
        (plain(SAID | {"finish_reason": "error", "error": {"code": 502}}), ReplyFailed),
        (plain(SAID | {"finish_reason": "insufficient_system_resource"}), BadReply),
        (fixed(JSON_HEAD, json.dumps([ERROR]).encode()), ReplyFailed),
        (stream(*HELLO, json.dumps([ERROR]), "[DONE]"), StreamFailed),
    ],
)
async def test_an_answer_that_broke_off_is_none(reply: bytes, kind: type[Exception]) -> None:
    outcome, _ = await asked(reply)

    assert type(outcome.error) is kind


class Bytes:
    """A reply that comes byte by byte."""

    status, ended = 200, True

    def __init__(self, body: bytes, **headers: str) -> None:
        self.headers = headers
        self._left = [body[at : at + 1] for at in range(len(body))]

    async def read(self) -> bytes:
        return self._left.pop(0) if self._left else b""

    async def free(self) -> None:
        pass


async def test_a_mark_of_byte_order_may_be_cut_before_it_is_known_what_comes() -> None:
    body = b"\xef\xbb\xbf" + sse(*HELLO, delta(finish="stop"), "[DONE]")

    async def send() -> Bytes:
        return Bytes(body)

    async with OpenAIExchange(send, max_bytes=1000) as exchange:
        text = "".join([event.text async for event in exchange])

    assert text == "Hello"
