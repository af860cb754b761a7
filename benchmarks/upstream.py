"""A fast local upstream for benchmarks: one fixed 50-event answer, as a stream and as JSON.

It speaks the Messages API, and Chat Completions where the path is theirs.

Prints its address and runs until it is terminated. It does as little as HTTP allows, so that what
is measured is the client. With the argument ``pieces`` a stream's events are written one by one, as
they come from a model; else all at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache
from typing import Any

WORDS = [f"word{number} " for number in range(50)]


def _events() -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 50}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"type": "text", "text": ""}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    for word in WORDS:
        delta = {"type": "text_delta", "text": word}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    events.append({"type": "content_block_stop", "index": 0})
    events.append({"type": "message_delta", "delta": end, "usage": usage})
    events.append({"type": "message_stop"})
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def _answer() -> bytes:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [{"type": "text", "text": "".join(WORDS)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 50},
    }
    return json.dumps(message).encode()


def _chat(**more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "created": 1764590000, "model": "gpt-5.5", **more}


def _chunks() -> bytes:
    deltas: list[tuple[dict[str, Any], str | None]] = [({"content": word}, None) for word in WORDS]
    chunks = [
        _chat(
            object="chat.completion.chunk",
            choices=[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        )
        for delta, finish in [({"role": "assistant", "content": ""}, None), *deltas, ({}, "stop")]
    ]
    lines = [*map(json.dumps, chunks), "[DONE]"]
    return b"".join(f"data: {line}\n\n".encode() for line in lines)


def _completion() -> bytes:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60}
    return json.dumps(_chat(object="chat.completion", choices=[choice], usage=usage)).encode()


def _reply(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


STREAM = _reply("text/event-stream", _events())
PLAIN = _reply("application/json", _answer())
CHAT_STREAM = _reply("text/event-stream", _chunks())
CHAT_PLAIN = _reply("application/json", _completion())
PIECEWISE = "pieces" in sys.argv[1:]


@cache
def _pieces(stream: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in stream.removesuffix(b"\n\n").split(b"\n\n")]


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            streams = json.loads(body).get("stream")
            stream, plain = (STREAM, PLAIN) if b"/chat/" not in head else (CHAT_STREAM, CHAT_PLAIN)
            whole = [stream if streams else plain]
            for piece in _pieces(stream) if streams and PIECEWISE else whole:
                writer.write(piece)
                await asyncio.sleep(0)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve on a free port of the loopback."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
