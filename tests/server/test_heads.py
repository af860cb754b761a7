"""What comes before the body: too much, too slowly, or no HTTP at all. Over real sockets."""

import asyncio
import json

import pytest
from server_kit import FakeProvider, assistant, listening, request_bytes

from failsoft.server import create_app


async def _exchange(port, *pieces):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def _problem(reply):
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"x-request-id: req_" in head
    return json.loads(body)


@pytest.fixture
async def port():
    async with listening(create_app(assistant(FakeProvider(("Hi.",))))) as port:
        yield port


async def test_headers_without_end_are_refused(port):
    # The last piece is small: what is still unread at the end would reset the connection.
    reply = await _exchange(port, b"GET / HTTP/1.1\r\nx: ", b"y" * 65_000, b"y" * 600)
    problem = _problem(reply)
    assert problem["status"] == 431
    assert "64 KB" in problem["detail"]


async def test_what_is_no_http_is_told_as_a_problem(port):
    problem = _problem(await _exchange(port, b"\x16\x03\x01 hello\r\n\r\n"))
    assert problem["status"] == 400


async def test_a_head_that_never_ends_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("failsoft.server.http_connection.HEAD_SECONDS", 0.05)
    async with listening(create_app(assistant(FakeProvider(("Hi.",))))) as port:
        for sent in (b"", b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\n"):
            assert _problem(await _exchange(port, sent))["status"] == 408


async def test_many_requests_of_one_connection_are_counted_one_by_one(port):
    filler = "x-filler: " + "y" * 20_000
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(6):
        writer.write(request_bytes("/api/chat", {"message": "?"}, filler))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
