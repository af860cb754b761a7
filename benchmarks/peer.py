"""A worker that calls through one of several breakers: `python -m benchmarks.peer KIND URL NUMBER`.

KIND is `failsoft`, `purgatory` or `pybreaker`; URL is that of a Redis, or `-` to keep all in
memory. Runs where that package is installed, and needs nothing else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

OPEN_SECONDS = 2
FAILURES = 5  # of the other two's own default; failsoft keeps its own of 10 within 0.25 s
PROBE_SECONDS = 0.5

Call = Callable[["Work"], Coroutine[Any, Any, str]]


class WorkFailed(Exception):
    """The upstream is down."""


class Work:
    """What is called: takes its time, fails or not, and counts."""

    def __init__(self, seconds: float = 0.0, *, fails: bool = False) -> None:
        self.seconds = seconds
        self.fails = fails
        self.calls = 0

    async def run(self) -> None:
        self.calls += 1
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.fails:
            raise WorkFailed

    def block(self) -> None:
        """The same for code without a loop."""
        self.calls += 1
        if self.seconds:
            time.sleep(self.seconds)
        if self.fails:
            raise WorkFailed


async def bare(work: Work) -> str:
    await work.run()
    return "done"


@asynccontextmanager
async def purgatory(url: str) -> AsyncIterator[Call]:
    from purgatory import (  # type: ignore[import-not-found]  # noqa: PLC0415 - of its environment
        AsyncCircuitBreakerFactory,
        AsyncInMemoryUnitOfWork,
        AsyncRedisUnitOfWork,
    )
    from purgatory.domain.model import OpenedState  # type: ignore[import-not-found]  # noqa: PLC0415

    uow = AsyncInMemoryUnitOfWork() if url == "-" else AsyncRedisUnitOfWork(url)
    factory = AsyncCircuitBreakerFactory(FAILURES, OPEN_SECONDS, uow=uow)
    await factory.initialize()

    async def call(work: Work) -> str:
        try:
            async with await factory.get_breaker("model"):
                await work.run()
        except WorkFailed:
            return "failed"
        except OpenedState:
            return "refused"
        except Exception:  # noqa: BLE001 - what it lets through is what is counted
            return "broken"
        return "done"

    yield call


@asynccontextmanager
async def pybreaker(url: str) -> AsyncIterator[Call]:
    import pybreaker  # type: ignore[import-not-found]  # noqa: PLC0415 - of its environment
    from redis import Redis  # noqa: PLC0415

    storage = None
    if url != "-":
        redis = Redis.from_url(url)
        storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis, namespace="model")
    breaker = pybreaker.CircuitBreaker(FAILURES, OPEN_SECONDS, state_storage=storage)
    pool, loop = ThreadPoolExecutor(32), asyncio.get_running_loop()

    def block(work: Work) -> str:
        try:
            breaker.call(work.block)
        except pybreaker.CircuitBreakerError:
            return "refused"
        except WorkFailed:
            return "failed"
        except Exception:  # noqa: BLE001 - as above
            return "broken"
        return "done"

    async def call(work: Work) -> str:
        return await loop.run_in_executor(pool, block, work)

    yield call


@asynccontextmanager
async def failsoft(url: str) -> AsyncIterator[Call]:
    from benchmarks.core import MODEL, NoOp  # noqa: PLC0415 - not in the others' environment
    from failsoft import Failsoft, Settings  # noqa: PLC0415
    from failsoft.classify.wire_errors import ReplyFailed  # noqa: PLC0415
    from failsoft.config.settings import BreakerSettings, RetrySettings  # noqa: PLC0415
    from failsoft.providers.protocol import ProviderCall  # noqa: PLC0415

    class Upstream(NoOp):
        @asynccontextmanager
        async def exchange(self, call: ProviderCall) -> AsyncIterator[NoOp]:
            try:
                await works.pop().run()
            except WorkFailed:
                raise ReplyFailed("overloaded", status=529) from None
            yield self

    works: list[Work] = []
    rules = BreakerSettings(recovery="fixed", recovery_timeout_seconds=OPEN_SECONDS, ramp_seconds=0)
    settings = Settings(
        redis_url=None if url == "-" else url, breaker=rules, retry=RetrySettings(max_attempts=1)
    )

    async def call(work: Work) -> str:
        works.append(work)
        answer = await ai.ask("Hi")
        if answer.status == "success":
            return "done"
        return "failed" if answer.attempts else "refused"

    providers = {"anthropic": Upstream()}
    async with Failsoft(settings, chain=[f"anthropic/{MODEL}"], providers=providers) as ai:
        yield call


KINDS = {"purgatory": purgatory, "pybreaker": pybreaker, "failsoft": failsoft}


class Process:
    """The tasks that this worker knows; times are seconds of the common clock."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def fail(self, at: float, before: int) -> float:
        """So many failures 30 ms apart, and the last at ``at``; when that was."""
        work = Work(fails=True)
        for turn in range(before, -1, -1):
            await _until(at - turn * 0.03)
            now = time.monotonic()
            await self._call(work)
        return now

    async def poll(self, at: float) -> float:
        """Call what fails every 5 ms from ``at`` on, until that is refused; when it was."""
        await _until(at)
        while True:
            now = time.monotonic()
            if await self._call(Work(fails=True)) == "refused" or now > at + OPEN_SECONDS:
                return now
            await asyncio.sleep(0.005)

    async def stampede(self, at: float, callers: int) -> int:
        """That many calls at once; how many reached the upstream before the first could end."""
        work = Work(PROBE_SECONDS)
        await _until(at)
        calls = [asyncio.create_task(self._call(work)) for _ in range(callers)]
        await _until(at + PROBE_SECONDS * 0.9)
        reached = work.calls
        await asyncio.gather(*calls)
        return reached

    async def recover(self) -> None:
        """Call what goes well until it is let through for good."""
        well = 0
        while well < 5:
            well = well + 1 if await self._call(Work()) == "done" else 0
            await asyncio.sleep(0.05)

    async def latency(self, calls: int) -> list[list[float]]:
        """Seconds of calls one after another: through the breaker, and of the work alone."""
        took: list[list[float]] = [[], []]
        for _ in range(calls):
            for call, into in ((self._call, took[0]), (bare, took[1])):
                began = time.perf_counter()
                await call(Work())
                into.append(time.perf_counter() - began)
        return took

    async def traffic(self, at: float, seconds: float, rate: float) -> list[tuple[float, str]]:
        """Calls at an even rate; how long each took, from when it was due, and how it ended."""
        ended: list[tuple[float, str]] = []

        async def one(due: float) -> None:
            outcome = await self._call(Work())
            ended.append((time.monotonic() - due, outcome))

        async with asyncio.TaskGroup() as tasks:
            for turn in range(int(seconds * rate)):
                await _until(at + turn / rate)
                tasks.create_task(one(at + turn / rate))
        return ended


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))


async def main() -> None:
    """Do what is asked for, line by line."""
    kind, url, _ = sys.argv[1:]
    logging.disable()
    async with AsyncExitStack() as stack:
        process = Process(await stack.enter_async_context(KINDS[kind](url)))
        print(json.dumps("ready"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            task: dict[str, Any] = json.loads(line)
            answer = await getattr(process, task.pop("task"))(**task)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
