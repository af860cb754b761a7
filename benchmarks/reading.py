"""A client that asks and reads as cheaply as can be, one connection a question."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from benchmarks.paced import MODEL

__all__ = ["Client", "Place"]

LAST = b"\r\n0\r\n\r\n"


class Place(NamedTuple):
    """Where to ask: failsoft's service, or what speaks as the upstream does."""

    url: str
    direct: bool = False

    @property
    def mark(self) -> bytes:
        """What every text event has and no other."""
        return b"text_delta" if self.direct else b'"type":"text"'

    def request(self, question: str, headers: dict[str, str]) -> bytes:
        """The whole request."""
        path = "/v1/messages" if self.direct else "/api/chat/stream"
        body = json.dumps(self._body(question)).encode()
        lines = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json"]
        lines += [f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def _body(self, question: str) -> dict[str, Any]:
        if not self.direct:
            return {"message": question}
        turn = {"role": "user", "content": question}
        return {"model": MODEL, "max_tokens": 4096, "stream": True, "messages": [turn]}


class Client:
    """Asks and reads; :attr:`texts` counts the text events that have come."""

    texts = 0

    async def read(self, place: Place, question: str, **headers: str) -> bytes:
        """The whole body."""
        reply = await self._connect(place)
        reply.ask(place.request(question, headers))
        await reply.ended
        return reply.body()

    async def leave(self, place: Place, question: str) -> None:
        """Hang up after the first text event."""
        reply = await self._connect(place)
        reply.ask(place.request(question, {}))
        await reply.begun
        reply.hang_up()

    async def first_text_seconds(self, place: Place, question: str) -> float:
        """From asking, on a connection that was accepted before, to the first text event."""
        reply = await self._connect(place)
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        reply.ask(place.request(question, {}))
        await reply.begun
        seconds = time.perf_counter() - began
        await reply.ended
        return seconds

    async def _connect(self, place: Place) -> _Reply:
        parts = urlsplit(place.url)
        _, reply = await asyncio.get_running_loop().create_connection(
            lambda: _Reply(self, place.mark), parts.hostname or "", parts.port or 80
        )
        return reply


class _Reply(asyncio.Protocol):
    """One connection and the reply on it."""

    def __init__(self, client: Client, mark: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._client = client
        self._mark = mark
        self._pieces: list[bytes] = []

    def ask(self, request: bytes) -> None:
        self._transport.write(request)

    def hang_up(self) -> None:
        self._transport.abort()

    def body(self) -> bytes:
        """What came, out of its chunks."""
        head, _, rest = b"".join(self._pieces).partition(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(f"the server answered {head.decode()}")
        chunks = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            chunks.append(rest[:length])
            rest = rest[length + 2 :]
        return b"".join(chunks)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        texts = data.count(self._mark)
        self._client.texts += texts
        if texts and not self.begun.done():
            self.begun.set_result(None)
        if data.endswith(LAST) or data == LAST[2:]:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)
