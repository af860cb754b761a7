"""One connection without a key, that sends what a server may keep: all of it is bounded."""

import asyncio
import contextlib
import gc
import weakref

import pytest
from server_kit import FakeProvider, assistant, request_bytes, uvicorn_of

from failsoft.server import create_app
from failsoft.server.http_connection import FRAMING_BYTES, HEADER_COUNT, PIPELINE

GET = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
CHUNKED = (
    b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
QUESTION = b'{"message": "?"}'


class Peer:
    """One connection, as both of its ends have it."""

    def __init__(self, reader, writer, server):
        self.reader, self.writer, self._server = reader, writer, server

    @property
    def protocol(self):
        (protocol,) = self._server.server_state.connections
        return protocol

    async def until(self, true):
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - nobody there to set an event
                await asyncio.sleep(0.005)

    async def reply(self):
        """The status of the next reply, and its body."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def pour(self, *pieces):
        """Send it all, or what is taken of it."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()


@pytest.fixture
def answered():
    """Set, and the model answers."""
    return asyncio.Event()


@pytest.fixture
async def peer(answered):
    provider = FakeProvider((answered.wait, "Hi."))
    async with uvicorn_of(create_app(assistant(provider))) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Peer(reader, writer, server)
        answered.set()
        writer.close()


@pytest.fixture
async def refused(peer):
    """It has asked a question, and sent many requests that wait for it."""
    await peer.pour(request_bytes("/api/chat", {"message": "?"}), GET * 3000)
    await peer.until(lambda: peer.protocol._refusal)
    return peer


async def test_requests_that_wait_for_the_one_before_them(refused, answered):
    assert len(refused.protocol.pipeline) == PIPELINE
    answered.set()
    assert (await refused.reply())[0] == 200
    for _ in range(PIPELINE):
        assert await refused.reply() == (200, b'{"status":"ok"}')
    status, body = await refused.reply()
    assert (status, b"Send the next one when" in body) == (429, True)


async def test_a_connection_that_is_gone_leaves_nothing_to_the_collector(refused):
    gc.collect()
    gc.disable()
    try:
        waiting = [weakref.ref(cycle) for cycle, _ in refused.protocol.pipeline]
        refused.writer.transport.abort()
        await refused.until(lambda: not any(cycle() for cycle in waiting))
    finally:
        gc.enable()


async def test_a_peer_that_leaves_is_seen_although_requests_wait(peer):
    await peer.pour(request_bytes("/api/chat", {"message": "?"}), GET)
    await peer.until(lambda: len(peer.protocol.pipeline) == 1)
    peer.writer.transport.abort()
    await peer.until(lambda: not peer._server.server_state.tasks)


@pytest.mark.parametrize(
    "endless",
    [
        CHUNKED + b"10\r\n" + QUESTION + b"\r\n0\r\n" + b"x: y\r\n" * 20_000,
        CHUNKED + b"10\r\n" + QUESTION + b"\r\n0\r\nx: " + b"y" * 200_000,
        CHUNKED + b"10\r\n" + QUESTION + b"\r\n0\r\n" + b"x" * 200_000,
        CHUNKED + b"10;" + b"x" * 200_000,
        GET + b"\r\n" * 100_000,
        b"\r\n" * 100_000,
        b"GET /" + b"x" * 200_000,
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 200_000,
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 40_000,
    ],
    ids=[
        "trailers", "a trailer", "a trailer's name", "a chunk's extension", "blank lines after",
        "blank lines", "a path", "a header", "headers",
    ],
)  # fmt: skip
async def test_what_has_no_end_is_refused(peer, endless):
    if endless.startswith(GET):
        await peer.pour(GET)
        assert (await peer.reply())[0] == 200
        endless = endless.removeprefix(GET)
    await peer.until(lambda: peer._server.server_state.connections)
    protocol = peer.protocol
    await peer.pour(endless)
    await peer.until(protocol.transport.is_closing)
    assert len(protocol.headers or ()) <= HEADER_COUNT + 1


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"1\r\n%c\r\n" % byte for byte in QUESTION + b" " * 8 * FRAMING_BYTES),
        b"10;quality=high\r\n" + QUESTION + b"\r\n",
    ],
    ids=["bytes one by one", "an extension"],
)
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"0\r\nx-checksum: 7\r\n\r\n"])
async def test_what_has_an_end_is_answered(peer, answered, body, end):
    answered.set()
    await peer.pour(CHUNKED + body + end, GET)
    assert (await peer.reply())[0] == 200
    assert (await peer.reply())[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * HEADER_COUNT + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 200 + b"\r\n", 200),
        (b"\x16\x03\x01 hello\r\n\r\n", 400),
    ],
)
async def test_what_came_before_is_answered_before_the_connection_ends(peer, head, status):
    await peer.pour(GET + head)
    assert (await peer.reply())[0] == 200
    assert (await peer.reply())[0] == status
    if status != 200:
        assert await peer.reader.read() == b""


OFFERED = (
    b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(QUESTION), QUESTION)
)


NAME = OFFERED.index(b"\nUpgrade:")


@pytest.mark.parametrize("cut", [NAME, NAME + 1, NAME + 5, NAME + 9, len(OFFERED)])
async def test_a_protocol_that_is_offered_is_ignored_and_the_body_read(peer, answered, cut):
    """The parser takes a body for the other protocol's; clients on plain http offer h2c often."""
    answered.set()
    await peer.pour(OFFERED[:cut])
    await asyncio.sleep(0)
    await peer.pour(OFFERED[cut:])
    status, body = await peer.reply()
    assert (status, b'"Hi."' in body) == (200, True)
    await peer.pour(OFFERED)
    assert (await peer.reply())[0] == 200
