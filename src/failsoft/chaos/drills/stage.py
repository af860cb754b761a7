"""Where a drill is played: processes of its own, or a deployment that the user runs."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from failsoft.chaos.drills.process import Service
from failsoft.chaos.drills.scenario import Scenario, Step
from failsoft.chaos.drills.trouble import DrillError
from failsoft.chaos.drills.usage import Usage, usage_of
from failsoft.chaos.proxy import FaultProxy
from failsoft.chaos.simulator import Simulator

__all__ = ["Stage", "Where", "open_stage"]

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
        """What the service is shown, and nobody else."""
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}


@dataclass(slots=True, kw_only=True)
class Stage:
    """What the load and the time line act on."""

    url: str
    headers: dict[str, str]
    control: aiohttp.ClientSession
    simulator: str | None
    proxy: FaultProxy | None = None
    service: Service | None = None
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
    service = Service(
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
    """What needs processes of our own cannot be done to a deployment of somebody's."""
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
