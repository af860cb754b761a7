from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from failsoft.chaos.simulator import Simulator


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
def environ(simulator: Simulator) -> dict[str, str]:
    """What points a command at the simulator."""
    return {"ANTHROPIC_BASE_URL": simulator.url, "ANTHROPIC_API_KEY": "any"}
