"""Odd requests, bodies and connections without a key, and the OpenAPI schema's own cases."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.attacks.raw_requests import PROBER, raw_requests
from benchmarks.attacks.service import GET, HEAD, PIECE, Row, Service, mark, serving
from benchmarks.peers.environments import python_with

__all__ = ["documented", "large_bodies", "odd_ways", "raw_http"]

CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
KIB = b"x" * 1024
GROWTH_MB, BACK_SECONDS = 100, 30.0
LAG_MS = 50
PINS = Path(__file__).parent / "pins"
# A documented 503 is no error of the service; the schema does not list the models and routes that
# there are; headers that a server does not know are to be ignored.
LEFT_OUT = "not_a_server_error,positive_data_acceptance,negative_data_rejection"


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
        await service.until_idle()
        for name, body in kinds.items():
            prober = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROBER, str(service.port), str(service.pid)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            await asyncio.sleep(0.5)
            head = HEAD + b"content-length: %d\r\n\r\n" % len(body)
            pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
            await asyncio.gather(*(pour(service.port, head, pieces, len(body)) for _ in range(20)))
            said, _ = await prober.communicate(b"")
            count, lag, slowest = said.split()
            told = (
                f"largest lag of the loop {float(lag):.0f} ms; "
                f"the slowest of {int(count)} probes took {float(slowest):.0f} ms"
            )
            yield f"20 bodies of 30 MB: {name}", "at once", told, mark(float(lag) <= LAG_MS)


async def documented() -> AsyncIterator[Row]:
    """What schemathesis makes of the service's own OpenAPI schema: no reply breaks it."""
    async with serving(FAILSOFT_CACHE_ENABLED="false") as (service, _):
        python = await asyncio.to_thread(python_with, PINS / "schemathesis.txt")
        with tempfile.TemporaryDirectory() as folder:
            running = await asyncio.create_subprocess_exec(
                *(
                    str(Path(python).with_name("schemathesis")),
                    "run",
                    f"{service.url}/openapi.json",
                ),
                *("--exclude-checks", LEFT_OUT, "--phases", "coverage,fuzzing", "--no-color"),
                *("--generation-deterministic", "--max-examples", "20", "--max-time", "60"),
                cwd=folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said = (await running.communicate())[0].decode()
        alive = await _answer_to(service.port, GET)
    cases = re.search(r"(\d+) generated", said)
    failures = re.findall(r"^  . (ST\d+ .*)$", said, re.MULTILINE)
    good = running.returncode == 0 and alive == "2xx" and cases is not None
    told = ", ".join(failures) or ("no failure" if good else "it could not be run")
    yield (
        "schemathesis on /openapi.json",
        f"{int(cases[1]):,} cases" if cases else "never",
        told,
        mark(good),
    )


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
