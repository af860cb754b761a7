"""One contestant in a process of its own, told what to do by lines of JSON.

    python -m benchmarks.peers.process CONTESTANT URL

Only the standard library and the contestant's own packages are needed.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import IO, Any

from benchmarks.peers.contestants import Contestant

Ask = Callable[[str], Awaitable[str]]


def asking(contestant: Contestant, *, stream: bool) -> Ask:
    """One request, its whole text at the end."""

    async def whole(question: str) -> str:
        return "".join([piece async for piece in contestant.stream(question)])

    return whole if stream else contestant.ask


async def cost(
    contestant: Contestant, *, calls: int, at_once: int, stream: bool = False
) -> tuple[float, float]:
    """CPU (user and system, all threads) and wall time a call, in seconds."""
    ask, left = asking(contestant, stream=stream), iter(range(calls))

    async def some() -> None:
        for _ in left:
            await ask("Hi")

    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return (time.process_time() - cpu) / calls, (time.perf_counter() - began) / calls


async def traffic(
    contestant: Contestant,
    *,
    at: float,
    arrivals: list[float],
    watch: float,
    stream: bool,
    name: str = "request",
) -> dict[str, Any]:
    """Ask ``request 0``, ``request 1``, … at their times, and watch for so many seconds.

    ``at`` is of the monotonic clock, all else seconds after it. ``ended`` is ``None`` for those
    still waiting; ``shown`` is all text that was given out. ``late`` is how late the worst request
    was begun: above some tenths of a second the machine is too busy for the rest to mean much.
    """
    results: list[dict[str, Any]] = []
    cpu = time.process_time()

    async def one(number: int, due: float) -> None:
        result: dict[str, Any] = {"asked": due, "ended": None, "error": None, "shown": ""}
        results.append(result)
        await asyncio.sleep(at + due - time.monotonic())
        result["asked"] = time.monotonic() - at
        question = f"{name} {number}"
        try:
            if stream:
                async for piece in contestant.stream(question):
                    result["shown"] += piece
            else:
                result["shown"] = await contestant.ask(question)
        except Exception as error:  # noqa: BLE001 - whatever an application would see
            result["error"] = f"{type(error).__name__}: {error}"[:200]
        result["ended"] = time.monotonic() - at

    tasks = [asyncio.create_task(one(number, due)) for number, due in enumerate(arrivals)]
    await asyncio.wait(tasks, timeout=at + watch - time.monotonic())
    late = max(result["asked"] - due for result, due in zip(results, arrivals, strict=True))
    cpu = time.process_time() - cpu
    told = json.loads(json.dumps({"results": results, "cpu": cpu, "late": late}))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told  # type: ignore[no-any-return]  # as it was before the rest was cancelled


TASKS: dict[str, Callable[..., Awaitable[Any]]] = {"cost": cost, "traffic": traffic}


async def serve(name: str, url: str, out: IO[str]) -> None:
    """Connect, say so, and do what the lines of standard input say."""

    def tell(what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    module = importlib.import_module(f"benchmarks.peers.contestants.{name}")
    try:
        async with module.connect(url) as contestant:
            tell({"ready": name})
            while line := await asyncio.to_thread(sys.stdin.readline):
                asked = json.loads(line)
                tell(await TASKS[asked.pop("task")](contestant, **asked))
    except NotImplementedError as error:
        tell({"missing": str(error)})


def main() -> None:
    """Keep standard output for the answers: some packages print."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, url = sys.argv[1:3]
    asyncio.run(serve(name, url, out))


if __name__ == "__main__":
    main()
