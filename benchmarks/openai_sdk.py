"""What a call to a service of Chat Completions costs: CPU a call, beside the openai SDK.

    .venv/bin/python -m benchmarks.openai_sdk [--rounds 9]

The same 51-event answer over loopback, its events written one by one: the SDK by itself, the SDK
wrapped, and ``ask`` over failsoft's own wire; one call after another, and a hundred at once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from openai import AsyncOpenAI

import failsoft
from failsoft import Failsoft, Settings
from failsoft.config.settings import BulkheadSettings, NamedProviderSettings

MODEL = "gpt-5.5"
CALLS = 100
MESSAGES: Any = [{"role": "user", "content": "Hi"}]

Call = Callable[[], Awaitable[Any]]


async def cpu(call: Call, at_once: int) -> float:
    """Microseconds of CPU a call."""
    gc.collect()
    began = time.process_time_ns()
    for _ in range(CALLS // at_once):
        if at_once == 1:
            await call()
        else:
            await asyncio.gather(*(call() for _ in range(at_once)))
    return (time.process_time_ns() - began) / CALLS / 1000


def streaming(client: AsyncOpenAI) -> Call:
    """A call of the SDK, read to its end."""

    async def call() -> None:
        async for _ in await client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True
        ):
            pass

    return call


def plain(client: AsyncOpenAI) -> Call:
    """A call of the SDK that is answered at once."""

    async def call() -> None:
        await client.chat.completions.create(model=MODEL, messages=MESSAGES)

    return call


async def compared(rounds: int, ours: Call, theirs: Call, at_once: int) -> str:
    """The cells of one row: the ratio of each pair, interleaved in one run."""
    for call in (ours, theirs):
        await cpu(call, at_once)
    pairs = [(await cpu(ours, at_once), await cpu(theirs, at_once)) for _ in range(rounds)]
    ratios = sorted(mine / other for mine, other in pairs)
    mine, other = (median(column) for column in zip(*pairs, strict=True))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"{mine:.0f} µs | {other:.0f} µs | {median(ratios):.2f} ({spread})"


async def table(rounds: int, url: str) -> list[str]:
    """Its rows."""
    service = NamedProviderSettings(api_key="benchmark", base_url=url)
    settings = Settings(
        providers={"openai": service}, bulkhead=BulkheadSettings(route_limit=CALLS, route_queue=0)
    )
    sdk = AsyncOpenAI(api_key="benchmark", base_url=url)
    wrapped = failsoft.wrap(sdk, settings=settings)
    rows = []
    async with Failsoft(settings, chain=[f"openai/{MODEL}"]) as ai:
        for name, ours, theirs, at_once, bar in (
            ("`wrap`, plain", plain(wrapped), plain(sdk), 1, "≤ 1.2"),
            ("`wrap`, stream", streaming(wrapped), streaming(sdk), 1, "≤ 1.2"),
            ("`wrap`, stream", streaming(wrapped), streaming(sdk), 100, "≤ 1.2"),
            ("`ask`", lambda: ai.ask("Hi"), streaming(sdk), 1, "≤ 0.35"),
            ("`ask`", lambda: ai.ask("Hi"), streaming(sdk), 100, "≤ 0.25"),
        ):
            cells = await compared(rounds, ours, theirs, at_once)
            rows.append(f"| {name} | {at_once} | {cells} | {bar} |")
    await sdk.close()
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    command = [sys.executable, "-m", "benchmarks.upstream", "pieces"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:  # noqa: S603 - our own
        try:
            url = next(iter(upstream.stdout or ())).strip() + "/v1"
            print("| | at once | CPU a call | the SDK | ratio, pair by pair | bar |")
            print("|---|---|---|---|---|---|")
            print("\n".join(asyncio.run(table(rounds, url))))
        finally:
            upstream.terminate()


if __name__ == "__main__":
    main()
