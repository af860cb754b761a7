"""What failsoft itself costs: CPU a call, interleaved in one run, quoted as ratios.

    .venv/bin/python -m benchmarks.core [--rounds 15]

1. Machinery: a whole ``ask`` around a provider that does nothing, and the bare provider.
2. Rejection: ``ask`` while every breaker is open.
3. A whole call against a local upstream (a 50-event answer over loopback), beside the Anthropic
   SDK's ``create`` with its own defaults, against the same upstream.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

from failsoft import Failsoft, Settings
from failsoft.config.settings import ProviderSettings
from failsoft.engine.runtime import Runtime
from failsoft.providers.protocol import ProviderCall, WireEvent

CONTENT = WireEvent("content_block_delta", {}, True, "text")  # noqa: FBT003 - by position
MODEL = "claude-opus-5-5"


class NoOp:
    """A provider that answers at once."""

    headers: dict[str, str] = {}  # noqa: RUF012 - shared on purpose: nothing is measured in it
    request_id = None
    message: dict[str, Any] = {"content": [], "stop_reason": "end_turn"}  # noqa: RUF012 - as above

    @asynccontextmanager
    async def exchange(self, call: ProviderCall) -> AsyncIterator[NoOp]:
        yield self

    async def __aiter__(self) -> AsyncIterator[WireEvent]:
        yield CONTENT

    async def aclose(self) -> None:
        """Nothing to close."""


async def bare(provider: NoOp) -> None:
    """The provider alone: what the machinery stands around."""
    async with provider.exchange(None) as exchange:  # type: ignore[arg-type]  # it looks at nothing
        async for _ in exchange:
            pass


async def cpu(work: Callable[[], Awaitable[Any]], times: int) -> float:
    """Microseconds of CPU a call."""
    gc.collect()
    began = time.process_time_ns()
    for _ in range(times):
        await work()
    return (time.process_time_ns() - began) / times / 1000


async def machinery(rounds: int) -> list[str]:
    """Around a no-op provider."""
    provider = NoOp()
    ai = Failsoft(Settings(), providers={"anthropic": provider})
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(await cpu(lambda: ai.ask("Hi"), 2000))
        theirs.append(await cpu(lambda: bare(provider), 2000))
    net = [whole - part for whole, part in zip(ours, theirs, strict=True)]
    return [
        f"| `ask` around a no-op provider | {median(ours):.1f} µs | {min(ours):.1f} µs | |",
        f"| the no-op provider alone | {median(theirs):.1f} µs | {min(theirs):.1f} µs | |",
        f"| the machinery | {median(net):.1f} µs | {min(net):.1f} µs | ≤ 30 µs |",
    ]


async def rejection(calls: int) -> list[str]:
    """While every breaker is open: wall time of a breaker's refusal and of a whole request."""
    ai = Failsoft(Settings(), providers={"anthropic": NoOp()})
    runtime: Runtime = ai._runtime  # noqa: SLF001 - a benchmark opens the breakers by hand
    guards = [runtime.guards.of(target) for target in runtime.chain]
    for guard in guards:
        guard.breaker.isolate()
    refusals, requests = [], []
    for _ in range(calls):
        began = time.perf_counter_ns()
        guards[0].admit(time.monotonic(), lease_seconds=20.0)
        refusals.append(time.perf_counter_ns() - began)
        began = time.perf_counter_ns()
        await ai.ask("Hi")
        requests.append(time.perf_counter_ns() - began)
    rows = []
    for name, values, bar in (
        ("refusal by an open breaker", refusals, "p99 ≤ 100 µs"),
        ("whole `ask`, all breakers open, notice included", requests, ""),
    ):
        values.sort()
        p50, p99 = values[len(values) // 2] / 1000, values[int(len(values) * 0.99)] / 1000
        rows.append(f"| {name} | {p50:.1f} µs | p99 {p99:.1f} µs | {bar} |")
    return rows


async def whole_call(rounds: int, url: str) -> list[str]:
    """Against a local upstream in another process, beside the SDK."""
    from anthropic import AsyncAnthropic  # noqa: PLC0415 - only this part needs it

    sdk = AsyncAnthropic(api_key="benchmark", base_url=url)
    chain = [f"anthropic/{MODEL}"]
    settings = Settings(anthropic=ProviderSettings(api_key="benchmark", base_url=url))
    message: Any = [{"role": "user", "content": "Hi"}]

    async def create() -> None:
        await sdk.messages.create(model=MODEL, max_tokens=64, messages=message)

    ours, theirs = [], []
    async with Failsoft(settings, chain=chain) as ai:
        await cpu(lambda: ai.ask("Hi"), 50)
        await cpu(create, 50)
        for _ in range(rounds):
            ours.append(await cpu(lambda: ai.ask("Hi"), 100))
            theirs.append(await cpu(create, 100))
    await sdk.close()
    ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return [
        f"| `ask`, 50 events over loopback | {median(ours):.0f} µs | {min(ours):.0f} µs | |",
        f"| SDK `create`, same answer as JSON | {median(theirs):.0f} µs | {min(theirs):.0f} µs | |",
        f"| ratio, pair by pair | {median(ratios):.2f} | {spread} | ≤ 0.7 |",
    ]


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    upstream = subprocess.Popen(  # noqa: ASYNC220 - our own module
        [sys.executable, "-m", "benchmarks.upstream"], stdout=subprocess.PIPE, text=True
    )
    try:
        url = (upstream.stdout.readline() if upstream.stdout else "").strip()
        print("| what | median | best | bar |\n|---|---|---|---|")
        for rows in (
            await machinery(rounds),
            await rejection(20_000),
            await whole_call(rounds, url),
        ):
            print("\n".join(rows), flush=True)
    finally:
        upstream.terminate()
        upstream.wait()


if __name__ == "__main__":
    asyncio.run(main())
