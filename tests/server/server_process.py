"""The service in a process of its own, before a simulator."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from server_kit import request_bytes

from failsoft.chaos.simulator import Simulator


@dataclass
class Served:
    process: asyncio.subprocess.Process
    simulator: Simulator
    port: int
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def open(self, path: str, model: str = "", method: str = "POST") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        plain = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        body = {"message": "?"} | ({"model": model} if model else {})
        question = request_bytes(path, body, "connection: close")
        writer.write(question if method == "POST" else plain)
        return reader

    async def get(self, path: str, method: str = "GET") -> tuple[int, bytes, bytes]:
        raw = await (await self.open(path, method=method)).read()
        head, _, body = raw.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.lower(), body


@contextlib.asynccontextmanager
async def served(
    *faults: str,
    drain: float,
    announce: float = 0,
    workers: int = 1,
    upstream: str = "",
    shared: tuple[str, str] | tuple[()] = (),
) -> AsyncIterator[Served]:
    """With its files where the test is; before a simulator of its own unless there is one.

    ``shared``: the address of a Redis, and a folder of its own.
    """
    async with asyncio.timeout(60), Simulator(faults=faults) as simulator:
        program = str(Path(__file__).with_name("served.py"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(program, upstream or simulator.url, str(workers), str(drain), str(announce), *shared),
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            url = await process.stdout.readline()
            server = Served(process, simulator, int(url.rpartition(b":")[2]))
            yield server
            for writer in server.writers:
                writer.close()
        finally:
            await _ended(process)


def children_of(process: asyncio.subprocess.Process) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Workers outlive a supervisor that is killed, so it is asked to end, and not for long."""
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4):
                    await process.wait()
                    return
        children = children_of(process)
        process.kill()
        for child in children:  # which have its output open, and that is waited for too
            os.kill(int(child), signal.SIGKILL)
        await process.wait()


def events(raw: bytes) -> list[dict[str, object]]:
    """Of a chunked reply; several events may share a chunk."""
    lines = [line for line in raw.split(b"\r\n") if line.startswith(b"data: ")]
    pairs = [frame.partition(b"\nid: ") for frame in b"".join(lines).split(b"\n\n")]
    return [json.loads(data.removeprefix(b"data: ")) for data, found, _ in pairs if found]
