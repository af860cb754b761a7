"""Readers that leave, stall or come back late, over real sockets."""

import asyncio
import socket

import pytest
from server_kit import FakeProvider, assistant, hang, listening, request_bytes

from failsoft.server import create_app

QUESTION = {"message": "?"}


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
@pytest.mark.parametrize("script", [(), ("Fine. ",)], ids=["before", "after"])
async def test_who_leaves_is_cancelled_at_the_provider(path, script):
    provider = FakeProvider((*script, hang()))
    app = create_app(assistant(provider, server={"requests_per_tenant": 1}))
    async with listening(app) as port:
        for _ in range(2):  # the second would be refused if the first had left anything behind
            provider.left.clear()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes(path, QUESTION))
            await provider.called(len(provider.calls) + 1)
            writer.transport.abort()
            async with asyncio.timeout(10):
                await provider.left.wait()
            assert provider.open == 0
            for _ in range(20):  # the finally blocks of the cancelled request have their turn
                await asyncio.sleep(0)


async def test_who_leaves_while_sending_the_question_is_no_accident(caplog):
    provider = FakeProvider(("Hi.",))
    async with listening(create_app(assistant(provider))) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes("/api/chat", QUESTION)[:-3])
        await writer.drain()
        writer.transport.abort()
    assert provider.calls == []
    assert not [r for r in caplog.records if r.levelname in ("ERROR", "CRITICAL")]


async def test_who_stops_reading_is_waited_for_and_then_left(monkeypatch):
    """Back-pressure reaches the provider, and does not last for ever."""
    monkeypatch.setattr("failsoft.server.responses.WRITE_SECONDS", 0.3)
    given = 0

    async def count() -> None:
        nonlocal given
        given += 1

    provider = FakeProvider(tuple(each for _ in range(1000) for each in ("x" * 1000, count)))
    async with listening(create_app(assistant(provider)), send_buffer=4096) as port:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(request_bytes("/api/chat/stream", QUESTION))
        async with asyncio.timeout(20):
            await provider.left.wait()
        client.close()
    assert given < 900


async def test_connections_are_kept_and_used_again():
    app = create_app(assistant(FakeProvider(("Hi.",))))
    async with listening(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(request_bytes("/api/chat/stream", QUESTION))
            async with asyncio.timeout(10):
                raw = await reader.readuntil(b"data: [DONE]\n\n\r\n0\r\n\r\n")
            assert raw.startswith(b"HTTP/1.1 200 OK")
        writer.close()
