"""The real process, told to end while people wait."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from server_kit import request_bytes

from failsoft.chaos.simulator import Simulator
from failsoft.server.drain import Drain

SLOW = "*=latency;first_content_ms=10;between_events_ms=25"
STALLED = "*=stall"
OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-5-5"


@dataclass
class Served:
    process: asyncio.subprocess.Process
    port: int
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self, path: str, model: str = "", method: str = "POST") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        plain = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
        body = {"message": "?"} | ({"model": model} if model else {})
        question = request_bytes(path, body, "connection: close")
        writer.write(question if method == "POST" else plain)
        return reader

    async def get(self, path: str, method: str = "GET") -> tuple[int, bytes, bytes]:
        raw = await (await self.open(path, method=method)).read()
        head, _, body = raw.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.lower(), body


@contextlib.asynccontextmanager
async def served(*faults: str, drain: float, workers: int = 1) -> AsyncIterator[Served]:
    async with asyncio.timeout(40), Simulator(faults=faults) as simulator:
        program = str(Path(__file__).with_name("served.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(program, simulator.url, str(workers), str(drain)),
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            url = await process.stdout.readline()
            server = Served(process, int(url.rpartition(b":")[2]))
            yield server
            for writer in server.writers:
                writer.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def events(raw: bytes) -> list[dict[str, object]]:
    lines = [line for line in raw.split(b"\r\n") if line.startswith(b"id: ")]
    data = [line.split(b"data: ", 1)[1].split(b"\n\n")[0] for line in lines]
    return [json.loads(each) for each in data]


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
    monkeypatch.setattr("failsoft.server.drain.LAST_WORDS_SECONDS", 0.01)
    drain = Drain()
    with drain.open() as cut:
        async with asyncio.timeout(5):
            await drain.run(0.01)
        assert cut.done()
