"""Servers that share a request log: one stands still while it answers, or the log is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from benchmarks.attacks.log_faults import ask, not_tried, until_up
from benchmarks.attacks.service import Row, Service, mark
from benchmarks.crowd import local_redis
from failsoft.chaos.simulator import Simulator

__all__ = ["stalls"]

COPIES = 60
# Longer than a server in Redis is silent before another one takes over what it runs.
STALL_SECONDS = 12
SLOW = "*=latency;first_content_ms=20;between_events_ms=150"
BUSY_LOOP = f"""
import signal, time
def stall(*_):
    until = time.monotonic() + {STALL_SECONDS}
    while time.monotonic() < until:
        pass
signal.signal(signal.SIGUSR1, stall)  # runs between two steps of the loop
from failsoft.cli import main
main()
"""


@contextlib.asynccontextmanager
async def _servers(url: str, *faults: str) -> AsyncIterator[tuple[Service, Service, Simulator]]:
    """Two services over one Redis; SIGUSR1 keeps the first one's loop busy."""
    with tempfile.TemporaryDirectory(prefix="failsoft-attacks-") as folder:
        async with Simulator(faults=faults) as simulator:
            first, second = (
                Service(
                    *(simulator.url, Path(folder) / name, sys.executable, "-c", BUSY_LOOP),
                    FAILSOFT_REDIS_URL=url,
                )
                for name in ("one", "two")
            )
            try:
                await asyncio.gather(first.start(), second.start())
                yield first, second, simulator
            finally:
                await first.stop()
                await second.stop()


async def stalls() -> AsyncIterator[Row]:
    """Copies of one key with Redis gone, and a server that stands still with a key in hand."""
    if shutil.which("redis-server") is None:
        yield not_tried("two servers over one Redis", "redis-server")
        return
    yield await _copies()
    for row in await asyncio.gather(
        _stalled("stopped by SIGSTOP", stopped=True),
        _stalled("busy in its loop", stopped=False),
    ):
        yield row


async def _copies() -> Row:
    with local_redis() as redis:
        async with _servers(redis.url) as (first, second, simulator), _session() as http:
            await asyncio.gather(until_up(http, first), until_up(http, second))
            redis.kill()
            replies = await asyncio.gather(
                *(ask(http, service, "copies") for service in (first, second) * (COPIES // 2))
            )
            calls = len(simulator.requests)
    answered = sum(reply.status == 200 for reply in replies)
    unprotected = sum(reply.unprotected for reply in replies)
    told = f"{answered} answered by {calls} calls, {unprotected} said `unprotected`"
    good = answered == unprotected == COPIES and calls <= 2  # one a server
    return f"{COPIES} copies of a key over two servers, Redis gone", "at once", told, mark(good)


async def _stalled(how: str, *, stopped: bool) -> Row:
    key = f"stalled: {how}"
    with local_redis() as redis:
        async with _servers(redis.url, SLOW) as (first, second, simulator), _session() as http:
            await asyncio.gather(until_up(http, first), until_up(http, second))
            reply = await _stream(http, first, key)
            await reply.content.readuntil(b'"type":"text"')
            first.send(signal.SIGSTOP if stopped else signal.SIGUSR1)
            await asyncio.sleep(STALL_SECONDS - 1)
            taken = asyncio.create_task(_ending(await _stream(http, second, key)))
            await asyncio.sleep(1)
            if stopped:
                first.send(signal.SIGCONT)
            ends = [await _ending(reply), await taken]
            again = [await _ending(await _stream(http, each, key)) for each in (first, second)]
        calls = len(simulator.requests)
    texts = {text for end, text in (*ends, *again) if end == "done"}
    told = (
        f"{calls} calls, {len(texts)} answer given out; readers meanwhile: "
        f"{ends[0][0]}, {ends[1][0]}; afterwards: {again[0][0]}, {again[1][0]}"
    )
    cut = ends[0][0] == "stream_interrupted"  # what stood still gives nothing more out
    same = len(texts) == 1 and {end for end, _ in again} == {"done"}
    good = calls == 2 and cut and same  # the run that was cut, and the one that took over
    what = f"a server of two {how} for {STALL_SECONDS} s"
    return what, "one key, 4 readers", told, mark(good)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def _stream(
    http: aiohttp.ClientSession, service: Service, key: str
) -> aiohttp.ClientResponse:
    return await http.post(
        f"{service.url}/api/chat/stream", json={"message": key}, headers={"idempotency-key": key}
    )


async def _ending(reply: aiohttp.ClientResponse) -> tuple[str, str]:
    """The type of the last event, and the text of all."""
    lines = (await reply.read()).decode().split("\n")
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    text = "".join(event["text"] for event in events if event["type"] == "text")
    return str(events[-1]["type"]), text
