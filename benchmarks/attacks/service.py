"""``failsoft serve`` in a process that is attacked, and what the parts share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from failsoft.chaos.simulator import Simulator

__all__ = ["GET", "HEAD", "PIECE", "Row", "Service", "mark", "serving"]

HEAD = b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
GET = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
PIECE = 64 * 1024
IDLE_SECONDS = 0.01  # of the processor in half a second
Row = tuple[str, str, str, str]


def mark(good: bool) -> str:  # noqa: FBT001 - a cell of the table
    """Whether it held, as the table has it."""
    return "yes" if good else "**no**"


class Service:
    """``failsoft serve`` in a process of its own, on a folder that outlives it."""

    def __init__(self, upstream: str, folder: Path, *program: str, **environ: str) -> None:
        self._upstream, self.folder = upstream, folder
        self._program = program or (str(Path(sys.executable).with_name("failsoft")),)
        self._environ = environ
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Serve, until it is killed."""
        environ = {
            **os.environ,
            "ANTHROPIC_BASE_URL": self._upstream,
            "ANTHROPIC_API_KEY": "k",
            "FAILSOFT_DATA_DIR": str(self.folder),
            "FAILSOFT_SERVER_REQUESTS_PER_TENANT": "100000",
            "FAILSOFT_LINGER_SECONDS": "600",
            **self._environ,
        }
        self.process = await asyncio.create_subprocess_exec(
            *(*self._program, "serve", "--port", "0"),
            env=environ,
            stderr=asyncio.subprocess.PIPE,
        )
        self.port = 0
        while not self.port:
            line = (await self._errors.readline()).decode()
            if not line:
                raise RuntimeError("the service ended at its start")
            if "serving at" in line:
                self.port = int(line.rpartition(":")[2])
        self._reading = asyncio.create_task(self._read_on())

    def send(self, which: signal.Signals) -> None:
        """Send its process a signal."""
        self._running.send_signal(which)

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
    def pid(self) -> int:
        """Its process."""
        return self._running.pid

    async def until_idle(self) -> None:
        """Return once it has loaded what it loads in the background, at most 30 s."""
        clock = ~self.pid << 3 | 2  # the processor time of that process: clock_getcpuclockid(3)
        used = -1.0
        for _ in range(60):
            before, used = used, time.clock_gettime(clock)
            if used - before < IDLE_SECONDS:
                return
            await asyncio.sleep(0.5)

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
async def serving(*faults: str, **environ: str) -> AsyncIterator[tuple[Service, Simulator]]:
    """A service in front of a simulator."""
    with tempfile.TemporaryDirectory(prefix="failsoft-attacks-") as folder:
        async with Simulator(faults=faults) as simulator:
            service = Service(simulator.url, Path(folder) / "data", **environ)
            await service.start()
            try:
                yield service, simulator
            finally:
                await service.stop()
