from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from failsoft.chaos.simulator import Clock, Simulator

STARTED_AT = 1_790_000_000.0


class ManualClock(Clock):
    """Time that passes only when it is told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = 100.0
        self.slept: list[float] = []
        super().__init__(
            monotonic=lambda: self.moment, epoch=lambda: STARTED_AT, sleep=self._pass
        )

    async def _pass(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += seconds
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.moment += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sim(clock: ManualClock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=sim.url, api_key="k", max_retries=0, timeout=5) as anthropic:
        yield anthropic


Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def ask(client: AsyncAnthropic) -> Ask:
    """One call through the SDK: the whole message, streamed or plain."""

    async def call(question: str = "What is a soft failure?", **fields: Any) -> Any:
        stream = fields.pop("stream", False)
        body: dict[str, Any] = {
            "model": "claude-opus-5-5",
            "max_tokens": 200,
            "messages": [{"role": "user", "content": question}],
            **fields,
        }
        if not stream:
            return await client.messages.create(**body)
        async with client.messages.stream(**body) as events:
            return await events.get_final_message()

    return call
