"""The real process, told to end while people wait."""

import asyncio
import json
import signal

import pytest
from server_kit import request_bytes
from server_process import Served, events, served

from failsoft.server.service import Drain

SLOW = "*=latency;first_content_ms=10;between_events_ms=25"
STALLED = "*=stall"
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"


async def refused(server: Served) -> None:
    """Wait until nothing new is taken, then see how that is told."""
    while (await server.get("/readyz"))[0] == 200:  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(0.01)
    assert (await server.get("/livez"))[0] == 200
    for path in ("/api/chat", "/api/chat/stream"):
        status, head, body = await server.get(path, "POST")
        assert status == 503
        assert b"\r\nretry-after: 10" in head
        assert b"\r\nserver:" not in head
        told = json.loads(body)
        assert told["error"]["title"] == "The service is restarting"
        assert told["retryable"] is True


@pytest.mark.parametrize("workers", [1, 2])
async def test_open_answers_are_finished(workers):
    async with served(SLOW, drain=30, workers=workers) as server:
        stream = await server.open("/api/chat/stream")
        plain = await server.open("/api/chat")
        start = await stream.readuntil(b'"type":"text"')
        server.process.send_signal(signal.SIGTERM)
        if workers == 1:
            await refused(server)
        raw = start + await stream.read()
        assert events(raw)[-1]["type"] == "done"
        assert raw.count(b"data: [DONE]") == 1
        assert b'"status":"success"' in await plain.read()
        assert await server.process.wait() == 0


async def test_answers_that_take_too_long_are_told_so():
    async with served(f"{OPUS}=hang", f"{HAIKU}=stall", drain=0.5) as server:
        shown = await server.open("/api/chat/stream", HAIKU)
        unseen = await server.open("/api/chat/stream", OPUS)
        plain = await server.open("/api/chat", OPUS)
        start = await shown.readuntil(b'"type":"text"')
        await unseen.readuntil(b'"type":"start"')
        server.process.send_signal(signal.SIGTERM)

        raw = start + await shown.read()
        *_, last = events(raw)
        assert last["type"] == "stream_interrupted"
        assert last["tokens_before_error"] == raw.count(b'"type":"text"')
        assert last["retryable"] is True
        assert raw.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")

        assert b'"title":"The service is restarting"' in await unseen.readuntil(b"data: [DONE]")

        head, _, body = (await plain.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["error"]["title"] == "The service is restarting"
        assert await server.process.wait() == 0


async def test_a_balancer_has_time_to_see_that_it_leaves():
    async with served(drain=30, announce=3600) as server:
        assert (await server.get("/readyz"))[0] == 200
        server.process.send_signal(signal.SIGTERM)
        while (await server.get("/readyz"))[0] == 200:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.01)
        status, head, _ = await server.get("/api/chat", "POST")
        assert status == 200
        assert head.count(b"\r\nconnection: close") == 1
        server.process.send_signal(signal.SIGINT)  # somebody who does not wait for that
        assert await server.process.wait() == 0


async def test_an_interrupt_is_not_announced():
    async with served(drain=30, announce=3600) as server:
        assert (await server.get("/readyz"))[0] == 200
        server.process.send_signal(signal.SIGINT)
        assert await server.process.wait() == 0


async def test_a_question_that_was_on_its_way_is_answered():
    async with served(drain=30) as server:
        raw = request_bytes("/api/chat", {"message": "?"}, "connection: close")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        server.writers.append(writer)
        writer.write(raw[:-3])
        await server.get("/livez")  # by then its head has been read
        server.process.send_signal(signal.SIGTERM)
        await refused(server)
        writer.write(raw[-3:])
        assert b'"status":"success"' in await reader.read()
        assert await server.process.wait() == 0


async def test_a_second_interrupt_does_not_wait():
    async with served(STALLED, drain=3600) as server:
        stream = await server.open("/api/chat/stream")
        await stream.readuntil(b'"type":"text"')
        server.process.send_signal(signal.SIGINT)
        await refused(server)
        server.process.send_signal(signal.SIGINT)
        assert b'"type":"stream_interrupted"' in await stream.read()
        assert await server.process.wait() == 0


async def test_nothing_open_ends_at_once():
    drain = Drain()
    async with asyncio.timeout(5):
        await drain.run(3600)
    assert drain.began


async def test_what_does_not_end_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr("failsoft.server.service.LAST_WORDS_SECONDS", 0.01)
    drain = Drain()
    with drain.open() as cut:
        async with asyncio.timeout(5):
            await drain.run(0.01)
        assert cut.done()
