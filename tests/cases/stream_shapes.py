"""Streams of odd shapes: events that mean nothing change nothing, in the library and wrapped."""

import asyncio
import json
import zlib

import anthropic
from case import ASKED, HELLO, OPUS, saw, upstream
from loopback import SSE_HEAD, chunked
from wire_events import START, STOP, USAGE, block, end, event, reason, text

import failsoft

OPEN, CLOSE = START + block() + text("hello "), text("world") + STOP + end()
DONE = b"data: [DONE]\n\n"


def of_type(content_type):
    line = content_type and b"content-type: %b\r\n" % content_type
    return chunked(b"HTTP/1.1 200 OK\r\n" + line, HELLO)


def amid(between):
    return chunked(SSE_HEAD, OPEN, between, CLOSE)


def zipped(*parts):
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    return chunked(SSE_HEAD + b"content-encoding: gzip\r\n", *pieces, packer.flush())


SHAPES = {
    "good": chunked(SSE_HEAD, HELLO),
    "a named event without data": amid(b"event: keep-alive\ndata: \n\n"),
    "an event without data": amid(b"data:\n\n"),
    "a delta without data": amid(b"event: content_block_delta\ndata: \n\n"),
    "an unknown event of text": amid(b"event: heartbeat\ndata: 2026-11-29T10:00:00Z\n\n"),
    "an unknown event of JSON": amid(b'event: heartbeat\ndata: "alive"\n\n'),
    "many comments": amid(b": here\n\n" * 20_000),
    "[DONE] before the stop": chunked(
        SSE_HEAD, OPEN, text("world"), STOP, reason(), DONE, event("message_stop")
    ),
    "[DONE] after it": chunked(SSE_HEAD, HELLO, DONE),
    "text/plain": of_type(b"text/plain; charset=utf-8"),
    "application/json": of_type(b"application/json"),
    "no type": of_type(b""),
    "no usage at the end": chunked(
        SSE_HEAD,
        *(OPEN, text("world"), STOP),
        event("message_delta", delta={"stop_reason": "end_turn"}),
        event("message_stop"),
    ),
    "null in place of usage": chunked(
        SSE_HEAD,
        *(START.replace(json.dumps(USAGE).encode(), b"null"), block(), text("hello world"), STOP),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage=None),
        event("message_stop"),
    ),
    "a byte at a time": chunked(SSE_HEAD, *(HELLO[at : at + 1] for at in range(len(HELLO)))),
    "CRLF and a mark": chunked(SSE_HEAD, b"\xef\xbb\xbf" + HELLO.replace(b"\n", b"\r\n")),
    "no names of events": chunked(
        SSE_HEAD,
        b"".join(line + b"\n" for line in HELLO.split(b"\n") if not line.startswith(b"event:")),
    ),
    "gzip": zipped(OPEN, CLOSE),
}
reply = [b""]


async def respond(peer):
    await peer.send(reply[0])


async def main():
    client = failsoft.wrap(anthropic.AsyncAnthropic())
    for name, reply[0] in SHAPES.items():
        async with failsoft.Failsoft(chain=[OPUS]) as ai:
            answer = await ai.ask("Hi")
        found = answer.text, answer.finish, len(answer.attempts)
        saw(f"{name}, of the library", found, ("hello world", "complete", 1))
        async with client.messages.stream(model=OPUS, **ASKED) as stream:
            shown = "".join([said async for said in stream.text_stream])
        saw(f"{name}, of a wrapped client", shown, "hello world")


upstream(respond, FAILSOFT_CACHE_ENABLED="false")
asyncio.run(main())
