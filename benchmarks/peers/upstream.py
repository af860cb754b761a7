"""The simulator in a process of its own, told what to do by lines of JSON.

    python -m benchmarks.peers.upstream

Its tasks: ``trouble`` sets the faults of models, their windows begin now; ``journal`` tells of
every request that came since, in seconds after a moment of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from failsoft.chaos.simulator import Simulator


class Upstream:
    """One simulated provider."""

    def __init__(self, simulator: Simulator, origin: float) -> None:
        self._simulator, self._origin = simulator, origin
        self._since = 0

    def trouble(self, faults: dict[str, list[str]]) -> None:
        for model, what in faults.items():
            self._simulator.set(model, faults=what)
        self._since = len(self._simulator.requests)

    def journal(self, at: float) -> list[dict[str, Any]]:
        return [
            {
                "arrived": record.arrived_s + self._origin - at,
                "model": record.model,
                "question": record.prompt_start,
                "fault": record.fault,
                "outcome": record.outcome,
            }
            for record in self._simulator.requests[self._since :]
        ]


async def main() -> None:
    """Serve on a free port of the loopback until standard input ends."""
    origin = time.monotonic()
    async with Simulator(seed=int(sys.argv[1])) as simulator:
        upstream = Upstream(simulator, origin)
        tasks: dict[str, Callable[..., Any]] = {
            "trouble": upstream.trouble,
            "journal": upstream.journal,
        }
        print(json.dumps({"url": simulator.url}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            print(json.dumps(tasks[asked.pop("task")](**asked)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
