from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from openai import AsyncOpenAI

from failsoft.chaos.simulator import Clock, Simulator

STARTED_AT = 1_790_000_000.0


class ManualClock(Clock):
    """Time that passes only when it is told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = 100.0
        self.slept: list[float] = []
        super().__init__(monotonic=lambda: self.moment, epoch=lambda: STARTED_AT, sleep=self._pass)

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


Connect = Callable[[Simulator], AsyncAnthropic]


@pytest.fixture
def connect() -> Connect:
    """The SDK, told to try once. Loading certificates for no TLS would take most of the time."""

    def to(simulator: Simulator) -> AsyncAnthropic:
        transport = DefaultAsyncHttpxClient(verify=False)
        return AsyncAnthropic(
            base_url=simulator.url, api_key="k", max_retries=0, timeout=5, http_client=transport
        )

    return to


@pytest.fixture
async def client(connect: Connect, sim: Simulator) -> AsyncIterator[AsyncAnthropic]:
    async with connect(sim) as anthropic:
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


@pytest.fixture
async def openai(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    transport = DefaultAsyncHttpxClient(verify=False)
    url = f"{sim.url}/v1"
    async with AsyncOpenAI(
        base_url=url, api_key="k", max_retries=0, timeout=5, http_client=transport
    ) as client:
        yield client


@pytest.fixture
def chat(openai: AsyncOpenAI) -> Ask:
    """One call through OpenAI's SDK: the whole completion, by its stream helper or plain."""

    async def call(question: str = "What is a soft failure?", **fields: Any) -> Any:
        stream = fields.pop("stream", False)
        body: dict[str, Any] = {
            "model": "gpt-5.5",
            "messages": [{"role": "user", "content": question}],
            **fields,
        }
        if not stream:
            return await openai.chat.completions.create(**body)
        async with openai.chat.completions.stream(**body) as events:
            async for _event in events:
                pass
            return await events.get_final_completion()

    return call


Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait until something is seen that happens at the other end of a connection."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - nothing tells this end of it
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
