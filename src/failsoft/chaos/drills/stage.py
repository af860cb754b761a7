"""Where a drill runs: processes of its own, measured in ``/proc``, or the user's deployment."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from failsoft.chaos.drills.scenario import Scenario, Step
from failsoft.chaos.drills.scenario_files import DrillError
from failsoft.chaos.simulator import Simulator
from failsoft.chaos.tcp_proxy import FaultProxy

__all__ = ["Stage", "StagedService", "Usage", "Where", "open_stage", "usage_of"]


_READY = re.compile(r"serving at (http://127\.0\.0\.1:(\d+))")
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LINES_KEPT = 20
_COMMAND = (sys.executable, "-c", "from failsoft.cli import main; main()")


class StagedService:
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
            process_group=0,  # Ctrl-C in a terminal is for the parent
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Resident memory in MB, open descriptors, and how many of them are TCP connections."""

    memory_mb: float
    descriptors: int
    connections: int


def usage_of(pid: int) -> Usage | None:
    """Look now; None where there is no ``/proc`` or no such process."""
    place = Path("/proc") / str(pid)
    try:
        pages = int((place / "statm").read_text().split()[1])
        held = list(_held(place))
        connected = _connected(place)
    except (OSError, ValueError, IndexError):
        return None
    return Usage(
        memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000,
        descriptors=len(held),
        connections=sum(each in connected for each in held),
    )


def _held(place: Path) -> Iterator[str]:
    for each in (place / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


def _connected(place: Path) -> set[str]:
    """Sockets with another side, as their descriptors are called."""
    found = set()
    for table in ("tcp", "tcp6"):
        for row in (place / "net" / table).read_text().splitlines()[1:]:
            fields = row.split()
            if not fields[2].endswith(":0000"):
                found.add(f"socket:[{fields[9]}]")
    return found


_CONTROL_SECONDS = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the user gave. Without ``url`` the drill brings its own; ``config`` is for that one."""

    url: str | None = None
    simulator: str | None = None
    config: Path | None = None
    api_key: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Settings for the service alone."""
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}


@dataclass(slots=True, kw_only=True)
class Stage:
    """What the load and the time line act on."""

    url: str
    headers: dict[str, str]
    control: aiohttp.ClientSession
    simulator: str | None
    proxy: FaultProxy | None = None
    service: StagedService | None = None
    upstream: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def end_upstream(self) -> None:
        """End a simulator and a proxy of our own, and with them every idle connection to them."""
        await self.upstream.aclose()

    async def play(self, step: Step) -> None:
        """Carry a step out."""
        if step.proxy is not None and self.proxy is not None:
            await self.proxy.set(step.proxy)
        elif step.service is not None and self.service is not None:
            await (self.service.kill() if step.service == "kill" else self.service.start())
        elif step.model is not None:
            await self._set_faults(step.model, step.faults)

    async def upstream_calls(self, since: float) -> list[dict[str, Any]] | None:
        """The simulator's journal since that epoch second; None where it is not all there."""
        if self.simulator is None:
            return None
        async with self.control.get(f"{self.simulator}/_sim/requests") as reply:
            journal = await _json(reply, "the simulator")
        rows: list[dict[str, Any]] = journal["requests"]
        if journal["dropped"] and rows and rows[0]["arrived_at"] > since:
            return None
        return [row for row in rows if row["arrived_at"] >= since]

    async def in_flight(self) -> int | None:
        """Calls that the service says it has in flight; None where it cannot be asked."""
        place = f"{self.url}/api/health/ai"
        try:
            async with self.control.get(place, headers=self.headers) as reply:
                health = await _json(reply, "the service")
        except (DrillError, aiohttp.ClientError, OSError):
            return None
        return sum(int(target["in_flight"]) for target in health.get("targets", ()))

    def usage(self) -> Usage | None:
        """What the service's process holds; None where it is not ours."""
        pid = None if self.service is None else self.service.pid
        return None if pid is None else usage_of(pid)

    async def _set_faults(self, model: str, faults: tuple[str, ...]) -> None:
        place = f"{self.simulator}/_sim/models/{model}"
        async with self.control.put(place, json={"faults": list(faults)}) as reply:
            await _json(reply, "the simulator")


async def _json(reply: aiohttp.ClientResponse, who: str) -> dict[str, Any]:
    body: Any = await reply.json(content_type=None) if reply.ok else None
    if not isinstance(body, dict):
        raise DrillError(f"{who} answered {reply.status} to {reply.method} {reply.url}")
    return body


@asynccontextmanager
async def open_stage(scenario: Scenario, where: Where) -> AsyncIterator[Stage]:
    """Set it up, and take all of it down again. Raises :class:`.DrillError`."""
    async with AsyncExitStack() as stack:
        # Every connection of ours ends at once: those that are counted are then the service's own.
        closing = aiohttp.TCPConnector(force_close=True)
        session = aiohttp.ClientSession(timeout=_CONTROL_SECONDS, connector=closing)
        control = await stack.enter_async_context(session)
        if where.url is None:
            yield await _own(scenario, where, control, stack)
        else:
            _refuse(scenario, where)
            simulator = where.simulator.rstrip("/") if where.simulator else None
            stage = Stage(
                url=where.url.rstrip("/"),
                headers=where.headers,
                control=control,
                simulator=simulator,
            )
            stack.push_async_callback(_heal, scenario, stage)
            yield stage


async def _own(
    scenario: Scenario, where: Where, control: aiohttp.ClientSession, stack: AsyncExitStack
) -> Stage:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="failsoft-drill-")))
    upstream = await stack.enter_async_context(AsyncExitStack())
    simulator = await upstream.enter_async_context(Simulator())
    proxy = None
    if scenario.needs_proxy:
        proxy = await upstream.enter_async_context(FaultProxy(simulator.url))
    service = StagedService(
        upstream=simulator.url if proxy is None else proxy.url,
        folder=folder,
        environment=scenario.environment,
        config=where.config,
    )
    stack.push_async_callback(service.stop)
    await service.start()
    return Stage(
        url=service.url,
        headers=where.headers,
        control=control,
        simulator=simulator.url,
        proxy=proxy,
        service=service,
        upstream=upstream,
    )


def _refuse(scenario: Scenario, where: Where) -> None:
    """Refuses steps that need processes of our own where the deployment is another's."""
    for step in scenario.steps:
        if step.proxy is not None or step.service is not None:
            raise DrillError(
                f"{scenario.name}: “{step}” at {step.at:g} s needs processes of the drill's own: "
                "run it without --url"
            )
        if where.simulator is None and step.model is not None:
            raise DrillError(
                f"{scenario.name}: “{step}” at {step.at:g} s is done to a simulator: "
                "say where it is with --simulator"
            )
    if scenario.environment:
        raise DrillError(f"{scenario.name}: environment is for a service of the drill's own")


async def _heal(scenario: Scenario, stage: Stage) -> None:
    """Leave a simulator that is not ours without the faults that the drill has set."""
    for model in dict.fromkeys(step.model for step in scenario.steps if step.model is not None):
        with suppress(aiohttp.ClientError, OSError):
            async with stage.control.delete(f"{stage.simulator}/_sim/models/{model}"):
                pass
