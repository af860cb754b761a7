"""Plays a scenario: the load and the time line at once, then what is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from failsoft.chaos.drills.load import Generator
from failsoft.chaos.drills.results import CallRecord, Played, Result, measure
from failsoft.chaos.drills.scenario import Scenario, Step, judge
from failsoft.chaos.drills.scenario_files import DrillError
from failsoft.chaos.drills.stage import Stage, Usage, Where, open_stage

__all__ = ["run_drill"]

# Processes that have not ended by then are left behind.
_SETTLE_SECONDS = 10.0
_STEADY_SECONDS = 0.5
_STEADY_MB = 0.5
# Less than any server keeps an idle connection: a lost one is then the service's doing.
_IDLE_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_TELL_SECONDS = 5.0

Tell = Callable[[str], None]


async def run_drill(
    scenario: Scenario, where: Where | None = None, *, tell: Tell = lambda _: None
) -> Result:
    """Run it to its end; ``tell`` gets what happens, in lines.

    Raises :class:`.DrillError` or SettingError where it cannot be run. Whatever happens, every
    process and connection of its own is ended.
    """
    where = where or Where()
    try:
        async with open_stage(scenario, where) as stage:
            return await _Drill(scenario, stage, where, tell).run()
    except ExceptionGroup as group:
        raise _why(group) from group
    except (aiohttp.ClientError, OSError) as error:
        raise _why(error) from error


def _why(error: Exception) -> Exception:
    """One error that says what ended the drill, of however many there were."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, aiohttp.ClientError | OSError):
        return DrillError(f"cannot be reached: {error or type(error).__name__}")
    return error


class _Drill:
    """One run of a scenario on a stage."""

    def __init__(self, scenario: Scenario, stage: Stage, where: Where, tell: Tell) -> None:
        self._scenario = scenario
        self._stage = stage
        self._where = where
        self._tell = tell
        self._played: list[Played] = []
        self._began = 0.0

    async def run(self) -> Result:
        """Warm up, load and break, settle, measure."""
        for step in self._scenario.steps:
            if step.at == 0:
                await self._play(step)
        async with AsyncExitStack() as stack:
            generator = Generator(self._scenario.load, await self._session(stack))
            if not await generator.warm_up():
                raise DrillError(f"{self._stage.url} answered no question before the drill began")
            before = await self._steady()
            began_at = time.time()
            await self._load(generator)
        left = {"in_flight_left": await self._settled()}
        calls = await self._calls(generator, began_at)
        await self._stage.end_upstream()
        left |= await self._grown(before)
        return self._result(generator, calls, left, began_at)

    async def _session(self, stack: AsyncExitStack) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            self._stage.url,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
            headers=self._where.headers,
        )
        return await stack.enter_async_context(session)

    async def _load(self, generator: Generator) -> None:
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._time_line())
            telling = both.create_task(self._progress(generator))
            await generator.run(self._began)
            telling.cancel()

    async def _time_line(self) -> None:
        for step in self._scenario.steps:
            if step.at > 0:
                await asyncio.sleep(max(0.0, self._began + step.at - time.monotonic()))
                await self._play(step)

    async def _play(self, step: Step) -> None:
        self._tell(f"{self._now():5.1f} s  {step.label}")
        await self._stage.play(step)
        self._played.append(Played(at=self._now(), step=step))

    def _now(self) -> float:
        return time.monotonic() - self._began if self._began else 0.0

    async def _progress(self, generator: Generator) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            good = sum(reply.answered for reply in generator.replies)
            ended = len(generator.replies)
            counts = f"{generator.asked} asked, {ended} ended, {good} answered"
            self._tell(f"{self._now():5.1f} s  {counts}")

    async def _steady(self) -> Usage | None:
        """What the service holds once it has loaded all that it loads when it is first used."""
        until = time.monotonic() + _SETTLE_SECONDS
        now = self._stage.usage()
        while now is not None and time.monotonic() < until:
            before = now
            await asyncio.sleep(_STEADY_SECONDS)
            now = self._stage.usage()
            if now is not None and now.memory_mb - before.memory_mb < _STEADY_MB:
                break
        return now

    async def _settled(self) -> float | None:
        """Calls in flight when there should be none any more."""
        until = time.monotonic() + _SETTLE_SECONDS
        while (left := await self._stage.in_flight()) and time.monotonic() < until:  # noqa: ASYNC110 - another process
            await asyncio.sleep(_LOOK_SECONDS)
        return left

    async def _grown(self, before: Usage | None) -> dict[str, float | None]:
        """What the service holds more than before. Connections are no part of "before"."""
        until = time.monotonic() + _SETTLE_SECONDS
        while True:
            after = self._stage.usage()
            if before is None or after is None:
                return {"memory_growth_mb": None, "descriptors_left": None}
            left = after.descriptors - (before.descriptors - before.connections)
            if left <= 0 or time.monotonic() > until:
                grown = after.memory_mb - before.memory_mb
                return {"memory_growth_mb": grown, "descriptors_left": float(max(0, left))}
            await asyncio.sleep(_LOOK_SECONDS)

    async def _calls(self, generator: Generator, began_at: float) -> list[CallRecord] | None:
        rows = await self._stage.upstream_calls(began_at)
        if rows is None:
            return None
        return [_call(row, generator, began_at) for row in rows if row["path"] == "/v1/messages"]

    def _result(
        self,
        generator: Generator,
        calls: Sequence[CallRecord] | None,
        left: Mapping[str, float | None],
        began_at: float,
    ) -> Result:
        figures = measure(self._scenario, self._played, generator.replies, calls)
        figures |= {"held_back": generator.held_back, **left}
        return Result(
            scenario=self._scenario,
            where=self._where.url or "processes of its own",
            began_at=began_at,
            replies=generator.replies,
            calls=calls,
            played=self._played,
            figures=figures,
            verdicts=judge(self._scenario.thresholds, figures),
        )


def _call(row: Mapping[str, Any], generator: Generator, began_at: float) -> CallRecord:
    good = row["status"] == 200 and row["fault"] is None  # noqa: PLR2004 - HTTP status
    return CallRecord(
        at=row["arrived_at"] - began_at,
        question=generator.number_of(row["prompt_start"] or ""),
        whole=good and row["outcome"] == "completed",
    )
