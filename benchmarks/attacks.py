"""What was tried against failsoft, how often, and what was lost of it.

    python -m benchmarks.attacks [--bytes 1000000000] [--write]

Serves a real service on loopback, attacks it without a key, kills it, cuts and garbles what it
reads, and counts. ``--write`` puts the table into ``docs/reliability.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp

from benchmarks.raw_requests import PROBER, mark, raw_requests
from failsoft import Failsoft, Settings
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import CacheSettings, ProviderSettings, RetrySettings
from failsoft.engine.answer import StreamDone, StreamError, StreamInterrupted, StreamText

PAGE = Path("docs/reliability.md")
BEGIN, END = "<!-- attacks: begin -->\n", "<!-- attacks: end -->\n"
HEAD = b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
KIB = b"x" * 1024
PIECE = 64 * 1024
SDK_HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
GROWTH_MB, BACK_SECONDS = 100, 30.0
Row = tuple[str, str, str, str]


class Service:
    """``failsoft serve`` in a process of its own, on a folder that outlives it."""

    def __init__(self, upstream: str, folder: Path) -> None:
        self._upstream, self._folder = upstream, folder
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Serve, until it is killed."""
        environ = {
            **os.environ,
            "ANTHROPIC_BASE_URL": self._upstream,
            "ANTHROPIC_API_KEY": "k",
            "FAILSOFT_DATA_DIR": str(self._folder),
            "FAILSOFT_SERVER_REQUESTS_PER_TENANT": "100000",
            "FAILSOFT_LINGER_SECONDS": "600",
        }
        self.process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("failsoft")), "serve", "--port", "0"),
            env=environ,
            stderr=asyncio.subprocess.PIPE,
        )
        self.port = 0
        while not self.port:
            line = (await self._errors.readline()).decode()
            if "serving at" in line:
                self.port = int(line.rpartition(":")[2])
        self._reading = asyncio.create_task(self._read_on())

    async def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it so."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()
            await self._reading

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def memory_mb(self) -> float:
        """Resident memory of its process."""
        status = Path(f"/proc/{self._running.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise RuntimeError("it was not started")
        return self.process

    @property
    def _errors(self) -> asyncio.StreamReader:
        stderr = self._running.stderr
        if stderr is None:
            raise RuntimeError("its errors are not read")
        return stderr

    async def _read_on(self) -> None:
        while await self._errors.read(65536):
            pass


@contextlib.asynccontextmanager
async def serving(*faults: str) -> AsyncIterator[tuple[Service, Simulator]]:
    """A service in front of a simulator."""
    with tempfile.TemporaryDirectory(prefix="failsoft-attacks-") as folder:
        async with Simulator(faults=faults) as simulator:
            service = Service(simulator.url, Path(folder) / "data")
            await service.start()
            try:
                yield service, simulator
            finally:
                await service.stop()


def _numbers(before: bytes, after: bytes) -> Iterator[bytes]:
    return (before % number + after for number in itertools.count())


ODD: dict[str, tuple[bytes, Callable[[], Iterable[bytes]]]] = {
    "pipelined requests": (b"", lambda: itertools.repeat(GET * 500)),
    "an address without end": (b"GET /", lambda: itertools.repeat(KIB)),
    "headers without end": (HEAD, lambda: _numbers(b"x-%d: ", KIB + b"\r\n")),
    "one header without end": (HEAD + b"x: ", lambda: itertools.repeat(KIB)),
    "trailers without end": (CHUNKED + b"0\r\n", lambda: _numbers(b"x-%d: ", KIB + b"\r\n")),
    "one trailer without end": (CHUNKED + b"0\r\nx: ", lambda: itertools.repeat(KIB)),
    "a chunk extension without end": (CHUNKED + b"1;", lambda: itertools.repeat(KIB)),
    "chunks of one byte": (CHUNKED, lambda: itertools.repeat(b"1\r\n \r\n" * 200)),
    "bodies of 31 MB": (HEAD + b"content-length: 31000000\r\n\r\n", lambda: itertools.repeat(KIB)),
    "nested lists": (
        HEAD + b"content-length: 1000000\r\n\r\n",
        lambda: itertools.repeat(b"[" * 1024),
    ),
}


async def pour(port: int, begin: bytes, more: Iterable[bytes], left: int) -> int:
    """Send on one connection until it is closed or nothing is left; how much that was."""
    sent = 0
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(_read_over(reader))
        try:
            writer.write(begin)
            pieces = iter(more)
            while sent < left and not reading.done():
                data = b"".join(itertools.islice(pieces, 64))
                writer.write(data)
                await asyncio.wait_for(writer.drain(), 5)
                sent += len(data)
        except TimeoutError:  # it takes no more, and that is its right
            sent = left
        finally:
            reading.cancel()
            writer.transport.abort()
    return sent


async def _read_over(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(PIECE):
            pass


async def odd_ways(total: int) -> AsyncIterator[Row]:
    """So many bytes in each of ten odd ways, from four connections, without a key."""
    async with serving() as (service, _):
        await pour(service.port, GET, [], 1)
        before = service.memory_mb
        for name, (begin, more) in ODD.items():
            peak, left = before, total
            watching = asyncio.create_task(_peak(service))

            async def sender(
                begin: bytes = begin, more: Callable[[], Iterable[bytes]] = more
            ) -> None:
                nonlocal left
                while left > 0:
                    left -= max(PIECE, await pour(service.port, begin, more(), left))

            await asyncio.gather(*(sender() for _ in range(4)))
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            peak = max(before, _PEAKS.pop(service, before))
            back = await _back(service, before)
            told = f"memory +{peak - before:.0f} MB, back within {back:.0f} s"
            good = peak - before < GROWTH_MB and back < BACK_SECONDS
            yield (f"{total / 1e6:,.0f} MB sent as {name}", "4 connections", told, mark(good))


_PEAKS: dict[Service, float] = {}


async def _peak(service: Service) -> None:
    while True:
        _PEAKS[service] = max(_PEAKS.get(service, 0.0), service.memory_mb)
        await asyncio.sleep(0.1)


async def _back(service: Service, before: float) -> float:
    """Seconds until its memory is within 30 MB of what it was."""
    began = time.monotonic()
    while service.memory_mb > before + 30 and time.monotonic() - began < BACK_SECONDS:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def large_bodies() -> AsyncIterator[Row]:
    """Twenty bodies of 30 MB at once; how long the loop answered nobody meanwhile."""
    kinds = {
        "text": b'{"message": "' + b"x" * 30_000_000 + b'"}',
        "nested lists": b'{"message": ' + b"[" * 15_000_000 + b"]" * 15_000_000 + b"}",
        "long integers": b'{"message": [' + b"1" * 30_000_000 + b"]}",
    }
    async with serving() as (service, _):
        for name, body in kinds.items():
            prober = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROBER, str(service.port)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            await asyncio.sleep(0.5)
            head = HEAD + b"content-length: %d\r\n\r\n" % len(body)
            pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
            await asyncio.gather(*(pour(service.port, head, pieces, len(body)) for _ in range(20)))
            said, _ = await prober.communicate(b"")
            count, worst = int(said.split()[0]), float(said.split()[1])
            told = f"the slowest of {count} probes took {worst:.0f} ms"
            yield f"20 bodies of 30 MB: {name}", "at once", told, mark(worst <= 50)


async def raw_http() -> AsyncIterator[Row]:
    """Odd bytes on a connection each: every one is answered as it deserves, or closed."""
    told: Counter[str] = Counter()
    async with serving() as (service, _):
        for request in raw_requests():
            told[await _answer_to(service.port, request)] += 1
        lives = await _answer_to(service.port, GET)
    counted = ", ".join(f"{number} {kind}" for kind, number in sorted(told.items()))
    good = lives == "2xx" and not told["5xx"] and not told["hung"]
    yield "odd requests, byte by byte", str(sum(told.values())), counted, mark(good)


async def _answer_to(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(10):
            head = await reader.read(PIECE)
    except TimeoutError:
        return "hung"
    except OSError:
        return "closed"
    finally:
        writer.transport.abort()
    return f"{head.split()[1][:1].decode()}xx" if head.startswith(b"HTTP/") else "closed"


async def killed(streams: int) -> AsyncIterator[Row]:
    """Streams that are open when their process is killed: each is found again, as far as it was."""
    async with serving("*=latency;first_content_ms=50;between_events_ms=200") as (service, _):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            found = await asyncio.gather(*(_open(http, service.url, n) for n in range(streams)))
            await asyncio.sleep(1.0)
            await service.stop()
            shown = {request_id: await reading for request_id, reading in found}
            await service.start()
            counted: Counter[str] = Counter()
            for request_id, text in shown.items():
                counted[await _after(http, service.url, request_id, text)] += 1
    kept = counted["interrupted"]
    told = f"{kept} interrupted with their text, {streams - kept} lost"
    good = kept == streams
    yield f"kill -9 with {streams} open streams", "once", told, mark(good)


async def _open(
    http: aiohttp.ClientSession, url: str, number: int
) -> tuple[str, asyncio.Task[str]]:
    headers = {"idempotency-key": f"k{number}"}
    body = {"message": f"What is {number}?"}
    reply = await http.post(f"{url}/api/chat/stream", json=body, headers=headers)
    return reply.headers["x-request-id"], asyncio.create_task(_shown(reply))


async def _shown(reply: aiohttp.ClientResponse) -> str:
    raw = b""
    with contextlib.suppress(aiohttp.ClientError):
        async for chunk in reply.content.iter_any():
            raw += chunk
    lines = [
        line[6:] for line in raw.decode().split("\n") if line.startswith('data: {"type":"text"')
    ]
    return "".join(json.loads(line)["text"] for line in lines if line.endswith("}"))


async def _after(http: aiohttp.ClientSession, url: str, request_id: str, shown: str) -> str:
    """What became of it. The last 250 ms of what was shown may be missing in the log."""
    for _ in range(100):
        async with http.get(f"{url}/api/requests/{request_id}") as reply:
            state = await reply.json()
        if state.get("status") not in ("queued", "running"):
            break
        await asyncio.sleep(0.1)
    kept = state.get("text", "")
    same = shown.startswith(kept) and len(kept) >= len(shown) * 0.5
    return str(state.get("status")) if same else "text lost"


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


async def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines = ["| what was tried | how often | what came of it | held |", "|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    for part in (
        asks(10_000),
        cut_streams(1_000),
        garbled_streams(1_000),
        cancelled(500),
        raw_http(),
        killed(600),
        large_bodies(),
        odd_ways(given.bytes),
    ):
        async for row in part:
            lines.append(f"| {' | '.join(row)} |")
            print(lines[-1], flush=True)
    if given.write:
        write("\n".join(lines))


def write(table: str) -> None:
    """Put it into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    asyncio.run(main())
