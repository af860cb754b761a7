"""Bodies that are large, or hold up everybody else while they are read."""

import asyncio
import contextlib
import json
import socket
from collections import Counter

import pytest
import uvloop
from server_kit import FakeProvider, assistant, call, uvicorn_of

from failsoft.server import create_app
from failsoft.server.body import BodyBytes
from failsoft.server.http_connection import BoundedConnection
from failsoft.server.problem import Problem

MEGABYTE = 1024 * 1024
HEAD = b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"


def app(*steps, **server):
    return create_app(assistant(FakeProvider(steps or ("Hi.",)), server=server))


def of(values):
    """A body of nearly a megabyte, whose metadata is a list of these."""
    room = MEGABYTE - 100
    body = b'{"message":"?","metadata":{"a":[%s]}}' % b",".join(
        [values] * (room // (len(values) + 1))
    )
    assert 0.9 * MEGABYTE < len(body) <= MEGABYTE
    return body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (of(b"[]"), 413),
        (of(b"{}"), 413),
        (of(b"1"), 413),
        (of(b'""'), 413),
        (of(b'{"a":"\\"","b":[1,2]}'), 413),
        (of(b"9" * 4000), 400),
        (of(b"1e" + b"9" * 4000), 400),
        (of(b'"' + b"9" * 4000 + b'"'), 200),
        (of(b'"' + b"[{," * 1000 + b'"'), 200),
        (of(b'"' + b'\\"[' * 1000 + b'"'), 200),
        (of(b"1234567890123456789.123456789012345e-10, 2" + b" " * 400), 200),
        (b'{"message":"%s"}' % (b"x" * (MEGABYTE - 14)), 200),
        (b'{"message":"%s"}' % (b"x" * (MEGABYTE - 13)), 413),
    ],
    ids=[
        "lists", "objects", "numbers", "texts", "all of them", "long integers", "long exponents",
        "digits in texts", "brackets in texts", "quotes in texts", "numbers with digits",
        "a megabyte", "a byte more",
    ],
)  # fmt: skip
async def test_what_takes_long_to_read_is_refused_and_what_is_long_is_not(body, status):
    reply = await call(app(), body=body)
    assert reply.status == status, reply.body[:300]


async def test_all_bodies_together_have_a_limit():
    answered = asyncio.Event()
    service = app(answered.wait, "Hi.", body_limit_bytes=4000, bodies_limit_bytes=10_000)
    body = json.dumps({"message": "x" * 3800}).encode()
    first = [asyncio.create_task(call(service, body=body)) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(3):  # whatever was refused holds nothing
        reply = await call(service, body=body)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.headers["content-type"] == "application/problem+json"
    answered.set()
    assert [reply.status for reply in await asyncio.gather(*first)] == [200, 200]
    assert (await call(service, body=body)).status == 200


def test_what_a_request_held_is_given_back_however_it_ends():
    bodies = BodyBytes(100)
    for _ in range(3):
        with bodies.held() as take:
            take(60)
            with bodies.held() as other:
                other(40)
            with pytest.raises(Problem):
                take(41)
    with bodies.held() as take:
        take(100)


class BytesByTurn(Counter):
    """Counts the bytes that a method of connections is given in each turn of the running loop."""

    def __init__(self, monkeypatch, method):
        super().__init__()
        self._turn = 0
        work = getattr(BoundedConnection, method)

        def counted(connection, data):
            self[self._turn] += len(data)
            work(connection, data)

        monkeypatch.setattr(BoundedConnection, method, counted)

    async def count(self):
        while True:
            self._turn += 1
            await asyncio.sleep(0)


def test_a_turn_of_the_loop_reads_one_piece_of_a_refused_body(monkeypatch):
    """uvloop alone reads the same socket again and again while anything is there."""
    reads = BytesByTurn(monkeypatch, "data_received")

    async def pour():
        loop = asyncio.get_running_loop()
        async with uvicorn_of(app()) as (port, _), asyncio.timeout(30):
            with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as peer:
                peer.setblocking(False)
                peer.send(HEAD % (8 * MEGABYTE))
                reply = await loop.sock_recv(peer, 65536)
                counting = asyncio.create_task(reads.count())
                left = memoryview(bytes(8 * MEGABYTE))
                while left:
                    with contextlib.suppress(BlockingIOError):
                        while left:  # as much as the system takes
                            left = left[peer.send(left) :]
                    await asyncio.sleep(0)
                while reads.total() < 8 * MEGABYTE:  # noqa: ASYNC110 - each turn is counted
                    await asyncio.sleep(0)
                counting.cancel()
                return reply

    assert uvloop.run(pour()).startswith(b"HTTP/1.1 413")
    assert max(reads.values()) <= 256_000


async def test_chunks_of_one_byte_are_parsed_a_little_at_a_time_and_not_for_ever(monkeypatch):
    parsed = BytesByTurn(monkeypatch, "_parse")
    head = HEAD.partition(b"content-length")[0] + b"transfer-encoding: chunked\r\n\r\n"
    tiny = b"1\r\n \r\n" * 100_000
    async with uvicorn_of(app(body_limit_bytes=1024)) as (port, _), asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        counting = asyncio.create_task(parsed.count())
        writer.write(head)
        for _ in range(10):
            writer.write(tiny)
            await writer.drain()
        reply = await reader.read(65536)
        assert reply.startswith(b"HTTP/1.1 413")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):  # closed, since nobody reads the rest
                pass
        counting.cancel()
        writer.close()
    assert max(parsed.values()) <= 16 * 1024
    assert parsed.total() < 2 * MEGABYTE
