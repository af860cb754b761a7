"""Streams that are killed, cut, garbled and left, and many questions at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import aiohttp

from benchmarks.attacks.service import Row, mark, serving
from failsoft import Failsoft, Settings
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import CacheSettings, ProviderSettings, RetrySettings
from failsoft.engine.answer import StreamDone, StreamError, StreamInterrupted, StreamText

__all__ = ["asks", "cancelled", "cut_streams", "garbled_streams", "killed"]

SDK_HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}

# Of what was shown, so much may be missing in the log after a kill.
BEHIND_SECONDS = 0.25


async def killed(streams: int) -> AsyncIterator[Row]:
    """Streams that are open when their process is killed: each is found again, as far as it was."""
    async with serving("*=latency;first_content_ms=50;between_events_ms=200") as (service, _):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            found = await asyncio.gather(*(_open(http, service.url, n) for n in range(streams)))
            await asyncio.sleep(1.0)
            at = time.monotonic()
            await service.stop()
            shown = {request_id: await reading for request_id, reading in found}
            await service.start()
            counted: Counter[str] = Counter()
            missing = 0.0
            for request_id, texts in shown.items():
                status, since = await _after(http, service.url, request_id, texts)
                counted[status] += 1
                missing = max(missing, at - since)
    cut, whole = counted["interrupted"], counted["done"]
    told = (
        f"{cut} interrupted with their text, {whole} done before, {streams - cut - whole} lost; "
        f"the log was {missing * 1000:.0f} ms behind"
    )
    good = cut + whole == streams and missing <= BEHIND_SECONDS
    yield f"kill -9 with {streams} open streams", "once", told, mark(good)


Shown = list[tuple[float, str]]


async def _open(
    http: aiohttp.ClientSession, url: str, number: int
) -> tuple[str, asyncio.Task[Shown]]:
    headers = {"idempotency-key": f"k{number}"}
    body = {"message": f"What is {number}?"}
    reply = await http.post(f"{url}/api/chat/stream", json=body, headers=headers)
    return reply.headers["x-request-id"], asyncio.create_task(_shown(reply))


async def _shown(reply: aiohttp.ClientResponse) -> Shown:
    """Each text, and when it was shown."""
    shown: Shown = []
    with contextlib.suppress(aiohttp.ClientError):
        async with reply:
            async for line in reply.content:
                if line.startswith(b'data: {"type":"text"') and line.endswith(b"}\n"):
                    shown.append((time.monotonic(), json.loads(line[6:])["text"]))
    return shown


async def _after(
    http: aiohttp.ClientSession, url: str, request_id: str, shown: Shown
) -> tuple[str, float]:
    """What became of it, and when the first text was shown that the log does not have."""
    for _ in range(100):
        async with http.get(f"{url}/api/requests/{request_id}") as reply:
            state = await reply.json()
        if state.get("status") not in ("queued", "running"):
            break
        await asyncio.sleep(0.1)
    kept = str(state.get("text", ""))
    for moment, text in shown:
        if not kept:
            return str(state.get("status")), moment
        if not kept.startswith(text):
            return "text lost", math.inf
        kept = kept.removeprefix(text)
    return str(state.get("status")), math.inf


@contextlib.asynccontextmanager
async def asking(*faults: str) -> AsyncIterator[tuple[Failsoft, Simulator]]:
    """The engine itself, in front of a simulator."""
    async with Simulator(faults=faults) as simulator:
        settings = Settings(
            anthropic=ProviderSettings(api_key="k", base_url=simulator.url),
            cache=CacheSettings(enabled=False),
            retry=RetrySettings(max_attempts=1),
        )
        settings = replace(settings, breaker=replace(settings.breaker, metrics_only=True))
        async with Failsoft(settings) as ai:
            yield ai, simulator


async def streamed(ai: Failsoft) -> str:
    """How one stream ended; ``wrong`` where the answer has not all that was shown, and only that.

    A block's number may be garbled: what is shown in one order then lies in blocks in another.
    """
    shown = ""
    ends: list[StreamDone | StreamInterrupted | StreamError] = []
    async with ai.stream("What is escrow?") as events:
        async for event in events:
            if isinstance(event, StreamText):
                shown += event.text
            elif isinstance(event, StreamDone | StreamInterrupted | StreamError):
                ends.append(event)
    if len(ends) != 1 or sorted(ends[0].answer.text) != sorted(shown):
        return "wrong"
    return ends[0].type


async def cut_streams(count: int) -> AsyncIterator[Row]:
    """Streams that break off, in four ways: never taken for whole, nothing shown is lost."""
    for fault in ("cut;after=3", "eof;after=3", "close;after=3", "error_event;after=3"):
        async with asking(f"*={fault}") as (ai, _):
            ended = await _many(count // 4, lambda: streamed(ai))
        told = f"{ended['stream_interrupted']} interrupted with their text"
        good = ended["stream_interrupted"] == count // 4
        yield f"streams cut by {fault.partition(';')[0]}", f"{count // 4:,}", told, mark(good)


async def garbled_streams(count: int) -> AsyncIterator[Row]:
    """Streams with bytes exchanged at random: one end each, and no exception."""
    rng = random.Random(1)
    async with Simulator() as simulator:
        whole = await _raw_stream(simulator.url)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            body = bytearray(whole)
            for _ in range(rng.randrange(1, 20)):
                body[rng.randrange(len(body))] = rng.randrange(256)
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            writer.write(head + bytes(body))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        anthropic=ProviderSettings(api_key="k", base_url=f"http://127.0.0.1:{port}"),
        cache=CacheSettings(enabled=False),
        retry=RetrySettings(max_attempts=1),
    )
    settings = replace(settings, breaker=replace(settings.breaker, metrics_only=True))
    async with server, Failsoft(settings) as ai:
        ended = await _many(count, lambda: streamed(ai))
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(ended.items()))
    good = not ended["wrong"] and sum(ended.values()) == count
    yield "streams with bytes exchanged at random", f"{count:,}", told, mark(good)


async def _raw_stream(url: str) -> bytes:
    body = {"model": "claude-opus-5-5", "max_tokens": 99, "stream": True, "messages": []}
    body["messages"] = [{"role": "user", "content": "?"}]
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/v1/messages", json=body, headers=SDK_HEADERS) as reply,
    ):
        return await reply.read()


async def cancelled(count: int) -> AsyncIterator[Row]:
    """Streams that are left after their first words."""
    async with asking("*=latency;first_content_ms=10;between_events_ms=50") as (ai, _):

        async def leave() -> str:
            async with ai.stream("What is escrow?") as events:
                async for event in events:
                    if event.type == "text":
                        break
            return "left"

        await _many(count, leave)
        await asyncio.sleep(0.5)
        held = sum(route["in_flight"] for route in ai.health()["targets"])
        tasks = len(asyncio.all_tasks())
    told = f"{held} permits held, {tasks} tasks left afterwards"
    yield "streams left after their first words", f"{count:,}", told, mark(held == 0)


async def asks(count: int) -> AsyncIterator[Row]:
    """Questions to models of which a fifth of the calls fails."""
    async with asking("*=529@0.2") as (ai, _):
        ended = await _many(count, lambda: _asked(ai))
    told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(ended.items()))
    good = sum(ended.values()) == count and not ended["raised"]
    yield "asks, a fifth of the calls at 529, one attempt each", f"{count:,}", told, mark(good)


async def _asked(ai: Failsoft) -> str:
    answer = await ai.ask("What is escrow?")
    return answer.status


async def _many(count: int, work: Callable[[], Awaitable[str]]) -> Counter[str]:
    """Do it so often, fifty at a time."""
    ended: Counter[str] = Counter()
    left = iter(range(count))

    async def one_after_another() -> None:
        for _ in left:
            try:
                ended[await work()] += 1
            except Exception:  # noqa: BLE001 - that is what is looked for
                ended["raised"] += 1

    await asyncio.gather(*(one_after_another() for _ in range(50)))
    return ended
