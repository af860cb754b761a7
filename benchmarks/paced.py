"""An upstream that answers at a pace, as Anthropic's Messages API does.

A question is ``<name> <events> <events a second>``; its text events are ``name.0``, ``name.1``, …,
the first at once. Prints its address and runs until it is terminated; every line on standard input
is answered with the number of questions so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

MODEL = "claude-opus-5-5"


def chunk(data: bytes) -> bytes:
    """One piece of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(kind: str, **fields: Any) -> bytes:
    """One event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


USAGE = {"input_tokens": 10, "output_tokens": 100}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": USAGE,
}
STOP = {"stop_reason": "end_turn", "stop_sequence": None}

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
OPENING = chunk(event("message_start", message=MESSAGE)) + chunk(
    event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + event("ping")
)
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "%b.%d "})
CLOSING = (
    chunk(event("content_block_stop", index=0))
    + chunk(event("message_delta", delta=STOP, usage=USAGE) + event("message_stop"))
    + b"0\r\n\r\n"
)


class Count:
    """How many questions there were."""

    questions = 0

    def tell(self) -> None:
        """Answer a line of standard input."""
        sys.stdin.readline()
        print(self.questions, flush=True)


class Connection(asyncio.Protocol):
    """One connection, and the answer under way on it.

    A task and a stream writer an answer would cost more than what is measured.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._request = b""
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._write = cast("asyncio.Transport", transport).write

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer no more."""
        if self._next is not None:
            self._next.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._request += data
        head, blank, body = self._request.partition(b"\r\n\r\n")
        if not blank:
            return
        if len(body) == int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            self._request = b""
            self._answer(*json.loads(body)["messages"][-1]["content"].split())

    def _answer(self, name: str, events: str, rate: str) -> None:
        self._count.questions += 1
        self._name, self._events, self._period = name.encode(), int(events), 1.0 / float(rate)
        self._began = self._loop.time()
        self._write(HEAD + OPENING)
        self._text(0)

    def _text(self, number: int) -> None:
        if number == self._events:
            self._write(CLOSING)
            return
        self._write(chunk(TEXT % (self._name, number)))
        due = self._began + (number + 1) * self._period
        self._next = self._loop.call_at(due, self._text, number + 1)


async def main() -> None:
    """Serve on a free port of the loopback."""
    loop, count = asyncio.get_running_loop(), Count()
    server = await loop.create_server(lambda: Connection(count), "127.0.0.1", 0, backlog=2048)
    loop.add_reader(sys.stdin, count.tell)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
