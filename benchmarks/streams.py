"""What open streams cost the service: real processes and sockets on the loopback.

    .venv/bin/python -m benchmarks.streams [--streams 1000]

1. Open streams of 5 events a second, through failsoft's service and through the least that passes
   a stream on (uvicorn and aiohttp): CPU an event, memory a stream, events lost or repeated.
2. Streams left after their first text event: what stays behind of them.
3. Copies of one request at once, with one worker and with three: calls of the upstream.
4. How much later the first text event comes through the service than from the upstream itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import uvloop

from benchmarks.reading import Client, Place

LOAD_SECONDS = 4.0  # what the first answers bring in once: the embedder of saved answers
RATE = 5  # events a second of one stream
OPEN_SECONDS, SETTLE_SECONDS, WINDOW_SECONDS = 4.0, 2.0, 15.0
EVENTS = int(RATE * (OPEN_SECONDS + SETTLE_SECONDS + WINDOW_SECONDS + 2.0))
TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A process of ours, seen from outside."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._proc = Path(f"/proc/{self._popen.pid}")
        self.url = self._line()

    def stop(self) -> None:
        """Terminate it and wait."""
        self._popen.terminate()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                pipe.close()

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_kb(self) -> int:
        """Resident memory."""
        status = (self._proc / "status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(list((self._proc / "fd").iterdir()))

    def tell(self) -> int:
        """Its answer to a line: the tasks of a server, the questions of an upstream."""
        if self._popen.stdin is not None:
            self._popen.stdin.write("\n")
            self._popen.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        return self._popen.stdout.readline().strip() if self._popen.stdout else ""


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Process]:
    """Run a process for as long as the block."""
    process = Process(module, *arguments)
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def service(upstream: Process, workers: int = 1) -> Iterator[Process]:
    """Failsoft's service with an empty request log."""
    with (
        TemporaryDirectory() as folder,
        running("serving", "failsoft", upstream.url, folder, str(workers)) as server,
    ):
        yield server


class Load(NamedTuple):
    """What open streams cost, and what came of them."""

    us_an_event: float
    kb_a_stream: float
    events_a_second: float
    cores: float
    bodies: list[bytes]


async def load(server: Process, place: Place, streams: int) -> Load:
    """Open streams over some seconds, watch them for a window, read them to their ends."""
    rng = Random("starts")

    async def one(client: Client, name: int) -> bytes:
        await asyncio.sleep(rng.uniform(0.0, OPEN_SECONDS))
        return await client.read(place, f"{name} {EVENTS} {RATE}")

    client = Client()
    await asyncio.gather(*(client.read(place, f"0 {RATE} {RATE}") for _ in range(20)))
    await asyncio.sleep(LOAD_SECONDS)
    idle_kb = server.rss_kb()
    reading = [asyncio.create_task(one(client, name)) for name in range(streams)]
    await asyncio.sleep(OPEN_SECONDS + SETTLE_SECONDS)
    texts, cpu, began = client.texts, server.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(WINDOW_SECONDS)
    texts, cpu = client.texts - texts, server.cpu_seconds() - cpu
    seconds, open_kb = time.perf_counter() - began, server.rss_kb()
    bodies = await asyncio.gather(*reading)
    return Load(
        cpu / texts * 1e6, (open_kb - idle_kb) / streams, texts / seconds, cpu / seconds, bodies
    )


def lost_and_repeated(bodies: list[bytes]) -> tuple[int, int]:
    """Text events that never came, and those that came again, out of order or out of number."""
    lost = repeated = 0
    for name, body in enumerate(bodies):
        *events, last, _ = body.decode().split("\n\n")
        frames = [event.split("\nid: ") for event in events]
        told = [json.loads(data.removeprefix("data: ")) for data, _ in frames]
        texts = [data["text"] for data in told if data["type"] == "text"]
        sent = [f"{name}.{number} " for number in range(EVENTS)]
        ends = last == "data: [DONE]" and told[-1]["type"] == "done"
        lost += len(set(sent).difference(texts)) + (not ends)
        ids = [str(number) for number in range(1, len(frames) + 1)]
        in_order = texts == sorted(texts, key=sent.index) and ids == [
            number for _, number in frames
        ]
        repeated += len(texts) - len(set(texts)) + (not in_order)
    return lost, repeated


async def open_streams(upstream: Process, streams: int) -> list[str]:
    """Part 1."""
    with running("serving", "bare", upstream.url) as server:
        bare = await load(server, Place(server.url, direct=True), streams)
    with service(upstream) as server:
        ours = await load(server, Place(server.url), streams)
    lost, repeated = lost_and_repeated(ours.bodies)
    sent = f"{streams:,} open streams: text events a second, of {streams * RATE:,} sent"
    return [
        f"| {sent} | {ours.events_a_second:,.0f} | |",
        f"| CPU a text event, the service | {ours.us_an_event:.1f} µs | ≤ 100 µs |",
        f"| CPU a text event, the bare pass-through | {bare.us_an_event:.1f} µs | |",
        f"| ratio of the two | {ours.us_an_event / bare.us_an_event:.2f} | |",
        f"| share of one core, the service | {ours.cores:.0%} | |",
        f"| memory an open stream, the service | {ours.kb_a_stream:.1f} KB | ≤ 80 KB |",
        f"| memory an open stream, the bare pass-through | {bare.kb_a_stream:.1f} KB | |",
        f"| text events lost | {lost} | 0 |",
        f"| text events repeated or out of place | {repeated} | 0 |",
    ]


async def leave_all(client: Client, place: Place, count: int) -> None:
    """Fifty at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await client.leave(place, f"{number} 1000 50")

    await asyncio.gather(*(some() for _ in range(50)))


async def leavings(upstream: Process, count: int) -> list[str]:
    """Part 2."""
    with service(upstream) as server:
        client = Client()
        await leave_all(client, Place(server.url), 500)
        await asyncio.sleep(5.0)
        before = server.tell(), server.descriptors(), server.rss_kb()
        await leave_all(client, Place(server.url), count)
        await asyncio.sleep(5.0)
        after = server.tell(), server.descriptors(), server.rss_kb()
    grown = (after[2] - before[2]) / 1024
    return [
        f"| {count:,} leavings: tasks before and after | {before[0]}, {after[0]} | equal |",
        f"| descriptors before and after | {before[1]}, {after[1]} | equal |",
        f"| memory grown | {grown:.1f} MB | < 10 MB |",
    ]


async def copies(upstream: Process, workers: int, count: int = 50, rounds: int = 10) -> list[str]:
    """Part 3."""
    calls, kinds = [], []
    with service(upstream, workers) as server:
        client, place = Client(), Place(server.url)
        for number in range(rounds):
            before, key = upstream.tell(), {"idempotency-key": f"key-{number}"}
            asked = (client.read(place, f"{number} 10 50", **key) for _ in range(count))
            bodies = await asyncio.gather(*asked)
            calls.append(upstream.tell() - before)
            kinds.append(len(set(bodies)))
    name = f"{count} copies at once, {workers} worker{'s' * (workers > 1)}, {rounds} rounds"
    return [
        f"| {name}: upstream calls a round | {min(calls)} to {max(calls)} | 1 |",
        f"| different replies a round | {min(kinds)} to {max(kinds)} | 1 |",
    ]


async def first_content(upstream: Process, pairs: int) -> list[str]:
    """Part 4."""
    ours, theirs = [], []
    with service(upstream) as server:
        client = Client()
        for number in range(-20, pairs):
            question = f"{number} 3 200"
            direct = await client.first_text_seconds(Place(upstream.url, direct=True), question)
            served = await client.first_text_seconds(Place(server.url), question)
            if number >= 0:
                theirs.append(direct * 1000)
                ours.append(served * 1000)
    added = median(ours) - median(theirs)
    return [
        f"| first text event, p50 of {pairs} | {median(ours):.2f} ms | |",
        f"| the same from the upstream itself | {median(theirs):.2f} ms | |",
        f"| added by the service | {added:.2f} ms | ≤ 2 ms |",
    ]


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    streams = parser.parse_args().streams
    with running("paced") as upstream:
        print("| what | figure | bar |\n|---|---|---|")
        for part in (
            open_streams(upstream, streams),
            leavings(upstream, 2 * streams),
            copies(upstream, workers=1),
            copies(upstream, workers=3),
            first_content(upstream, 300),
        ):
            print("\n".join(await part), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
