"""The service as a process of its own, started, killed and stopped by its id."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from failsoft.chaos.drills.trouble import DrillError

__all__ = ["Service"]

_READY = re.compile(r"serving at (http://127\.0\.0\.1:(\d+))")
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LINES_KEPT = 20
_COMMAND = (sys.executable, "-c", "from failsoft.cli import main; main()")


class Service:
    """``failsoft serve`` on a free port of 127.0.0.1, which it keeps when it is started again."""

    def __init__(
        self,
        *,
        upstream: str,
        folder: Path,
        environment: Mapping[str, str],
        config: Path | None = None,
    ) -> None:
        self._folder = folder
        self._config = config
        self._environment = _environment(upstream, folder, environment)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._port = 0
        self.url = ""

    @property
    def pid(self) -> int | None:
        """Its process's id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def start(self) -> None:
        """Start it and wait until it listens. Raises :class:`.DrillError` where it does not."""
        if self.pid is not None:
            return
        more = ("--config", str(self._config.resolve())) if self._config is not None else ()
        self._process = await asyncio.create_subprocess_exec(
            *_COMMAND, "serve", "--host", "127.0.0.1", "--port", str(self._port), *more,
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,  # Ctrl-C in a terminal is for whoever started it
        )  # fmt: skip
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._until_ready(self._process)
        except TimeoutError:
            raise self._failed("did not listen in time") from None
        self._reader = asyncio.create_task(self._drain(self._process))

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        await self._end(signal.SIGKILL)

    async def stop(self, *, patience: float = _STOP_SECONDS) -> None:
        """End it as an orderly stop does, or by force where it has not ended in ``patience`` s."""
        try:
            async with asyncio.timeout(patience):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    def interrupt(self) -> None:
        """Do to it what Ctrl-C does: it ends soon; at the second time, at once."""
        self._send(signal.SIGINT)

    async def ended(self) -> int | None:
        """Wait for its process to end, however it does; its exit code."""
        return None if self._process is None else await self._process.wait()

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> None:
        self._send(number)
        await self.ended()
        if self._reader is not None:
            await self._reader
            self._reader = None

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        while (line := await self._line(process)) is not None:
            if ready := _READY.search(line):
                self.url, self._port = ready[1], int(ready[2])
                return
        raise self._failed("ended at once")

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        while await self._line(process) is not None:
            pass

    async def _line(self, process: asyncio.subprocess.Process) -> str | None:
        if process.stderr is None:
            return None
        try:
            line = await process.stderr.readline()
        except ValueError:  # longer than a line may be: it has been dropped
            return ""
        if not line:
            return None
        self._said.append(line.decode(errors="replace").rstrip())
        return self._said[-1]

    def _failed(self, what: str) -> DrillError:
        said = " | ".join(list(self._said)[-3:]) or "it said nothing"
        return DrillError(f"the service {what}: {said}")


def _environment(upstream: str, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """This process's own, without settings and proxies that would lead elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FAILSOFT_", "ANTHROPIC_")) and not name.lower().endswith("_proxy")
    }
    ours = {
        "ANTHROPIC_BASE_URL": upstream,
        "ANTHROPIC_API_KEY": "drill",
        "FAILSOFT_DATA_DIR": str(folder / "data"),
    }
    return {**kept, **more, **ours}
