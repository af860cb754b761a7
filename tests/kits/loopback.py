"""A server on loopback that answers with the very bytes a test wants."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\n"

Respond = Callable[["Peer"], Awaitable[None]]


def fixed(head: bytes, body: bytes) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(head: bytes, *pieces: bytes) -> bytes:
    body = b"".join(chunk(piece) for piece in pieces if piece)
    return head + b"transfer-encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """One connection as the server sees it."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Return once the client has hung up."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class Loopback:
    respond: Respond
    scheme: str = "http"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.all_closed.clear()
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                self.asked.set()
                await self.respond(Peer(request, reader, writer))
                if writer.transport.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.open -= 1
            if not self.open:
                self.all_closed.set()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    line, *fields = head.decode("latin-1").strip().split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (f.partition(":") for f in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(line, headers, body)


_TURNS = 5


@contextlib.asynccontextmanager
async def serving(
    answer: bytes | Respond, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Loopback]:
    async def say(peer: Peer) -> None:
        assert isinstance(answer, bytes)
        await peer.send(answer)

    loopback = Loopback(say if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(loopback, "127.0.0.1", 0, ssl=tls)
    loopback.port = server.sockets[0].getsockname()[1]
    loopback.scheme = "https" if tls else "http"
    try:
        yield loopback
    finally:
        server.close()
        for _ in range(_TURNS):  # who was accepted last is known only some turns of the loop later
            await asyncio.sleep(0)
    if loopback.connections:  # the client must have hung up, or it leaks
        async with asyncio.timeout(10):
            await loopback.all_closed.wait()
