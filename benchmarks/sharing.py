"""A worker that asks as one of many processes: `python -m benchmarks.sharing URL RULES NUMBER`.

URL is that of a Redis, or `-` for none. RULES are settings of the breaker, as JSON. The upstream is
scripted: it is down at the times that a task names, by the clock that all processes have in common.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from benchmarks.core import CONTENT, MODEL, NoOp, cpu
from failsoft import Failsoft, Settings
from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Outcome, Rejection, Ticket
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.providers.protocol import ProviderCall, WireEvent
from failsoft.telemetry.events import BreakerChanged, Event, StoreChanged

CHAIN = [f"anthropic/{MODEL}"]


class Reply(NoOp):
    """Begins after 20 to 40 ms and ends after 40 to 60."""

    def __init__(self, rng: Random) -> None:
        self._begins, self._goes_on = rng.uniform(0.02, 0.04), 0.02

    async def __aiter__(self) -> AsyncIterator[WireEvent]:
        await asyncio.sleep(self._begins)
        yield CONTENT
        await asyncio.sleep(self._goes_on)


class Upstream(NoOp):
    """Answers, or says 529 after 10 to 20 ms, and notes when it was called."""

    def __init__(self, number: int) -> None:
        self._rng = Random(f"upstream {number}")
        self.down: list[list[float]] = []
        self.at_once = True
        self.arrivals: list[float] = []
        self.failures: list[float] = []

    @asynccontextmanager
    async def exchange(self, call: ProviderCall) -> AsyncIterator[NoOp]:
        now = time.monotonic()
        self.arrivals.append(now)
        if any(since <= now < until for since, until in self.down):
            await asyncio.sleep(self._rng.uniform(0.01, 0.02))
            self.failures.append(time.monotonic())
            raise ReplyFailed("overloaded", status=529)
        yield self if self.at_once else Reply(self._rng)


class Watched:
    """What one breaker did and when, in seconds of the common clock."""

    def __init__(self, ai: Failsoft) -> None:
        self.changes: list[tuple[float, str, str, str]] = []
        self.probes: list[tuple[float, float, bool]] = []
        self.given_up: list[tuple[float, str]] = []
        self.decided: list[float] = []
        ai.subscribe(self._changed)
        runtime = ai._runtime  # noqa: SLF001 - a benchmark looks inside
        breaker = runtime.guards.of(runtime.chain[0]).breaker
        if runtime.shared is not None and isinstance(breaker, SharedBreaker):
            self._watch(breaker)
            runtime.shared.leading.open = self._noted(runtime.shared.leading.open)  # type: ignore[method-assign]

    def _changed(self, event: Event) -> None:
        if isinstance(event, BreakerChanged):
            now = time.monotonic()
            self.changes.append((now, event.from_state, event.to_state, event.reason))
        elif isinstance(event, StoreChanged) and not event.up:
            self.given_up.append((time.monotonic(), event.problem))

    def _noted(self, opens: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            self.decided.append(time.monotonic())
            return opens(*arguments)

        return noted

    def _watch(self, breaker: SharedBreaker) -> None:
        allow, done = breaker.allow, breaker.done
        began: dict[int, float] = {}

        def allowed(now: float, *, lease_seconds: float, early: bool = False) -> Ticket | Rejection:
            answer = allow(now, lease_seconds=lease_seconds, early=early)
            if isinstance(answer, Ticket) and answer.expires_at is not None:
                began[id(answer)] = time.monotonic()
            return answer

        def ended(ticket: Ticket, outcome: Outcome, now: float, **others: Any) -> None:
            if (since := began.pop(id(ticket), None)) is not None:
                self.probes.append((since, time.monotonic(), ticket.lease is not None))
            done(ticket, outcome, now, **others)

        breaker.allow = allowed  # type: ignore[method-assign]
        breaker.done = ended  # type: ignore[method-assign]


class Process:
    """The tasks that this worker knows."""

    def __init__(self, ai: Failsoft, upstream: Upstream, number: int) -> None:
        self._ai = ai
        self._upstream = upstream
        self._number = number
        self._watched = Watched(ai)

    async def cost(self, rate: float, calls: int) -> float:
        """CPU of the whole process a call, in microseconds: at a rate, or (0) as fast as can be."""
        if not rate:
            return await cpu(lambda: self._ai.ask("Hi"), calls)
        began, due = time.process_time_ns(), time.monotonic()
        for _ in range(calls):
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._ai.ask("Hi")
        return (time.process_time_ns() - began) / calls / 1000

    async def latency(self, calls: int) -> list[float]:
        """Seconds that each of these took, one after another."""
        took = []
        for _ in range(calls):
            began = time.perf_counter()
            await self._ai.ask("Hi")
            took.append(time.perf_counter() - began)
        return took

    async def traffic(
        self, at: float, seconds: float, rate: float, down: list[list[float]], *, at_once: bool
    ) -> dict[str, Any]:
        """Ask at an even rate from ``at`` on, and tell all that was seen."""
        upstream, watched = self._upstream, self._watched
        upstream.down, upstream.at_once = down, at_once
        logs = {
            "arrivals": upstream.arrivals,
            "failures": upstream.failures,
            "changes": watched.changes,
            "decided": watched.decided,
            "probes": watched.probes,
            "given_up": watched.given_up,
        }
        for log in logs.values():
            log.clear()  # type: ignore[attr-defined]
        asked: list[tuple[float, float, str]] = []
        async with asyncio.TaskGroup() as tasks:
            for turn in range(int(seconds * rate)):
                due = at + (turn + self._number / 8) / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._ask(due, asked))
        return {"asked": asked, **logs}

    async def _ask(self, due: float, asked: list[tuple[float, float, str]]) -> None:
        answer = await self._ai.ask("Hi")
        asked.append((due, time.monotonic() - due, answer.status))


async def main() -> None:
    """Do what is asked for, line by line."""
    url, rules, number = sys.argv[1:]
    upstream = Upstream(int(number))
    settings = Settings(
        redis_url=None if url == "-" else url, breaker=BreakerSettings(**json.loads(rules))
    )
    async with Failsoft(settings, chain=CHAIN, providers={"anthropic": upstream}) as ai:
        process = Process(ai, upstream, int(number))
        print(json.dumps("ready"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            task = json.loads(line)
            answer = await getattr(process, task.pop("task"))(**task)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
