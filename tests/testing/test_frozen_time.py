"""Time stands still, jumps when all wait, and is everybody's again afterwards."""

import asyncio
import threading

import pytest

from failsoft import CircuitState, Settings
from failsoft.config.settings import CacheSettings
from failsoft.testing import FrozenTime

REAL = Settings(cache=CacheSettings(enabled=False))


async def test_a_long_sleep_takes_no_time(frozen_time):
    before = frozen_time.now
    await asyncio.sleep(86_400)  # or the test would go on for a day
    assert frozen_time.now - before == pytest.approx(86_400)


async def test_advancing_ends_the_waits_that_are_due_and_no_others(frozen_time):
    ended = []

    async def wait(seconds):
        await asyncio.sleep(seconds)
        ended.append(seconds)

    waits = [asyncio.create_task(wait(seconds)) for seconds in (10, 20)]
    await asyncio.sleep(0)
    frozen_time.advance(10)
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended == [10]
    await asyncio.gather(*waits)
    assert ended == [10, 20]


@pytest.mark.usefixtures("frozen_time")
async def test_waits_end_in_their_order():
    ended = []

    async def wait(seconds):
        await asyncio.sleep(seconds)
        ended.append(seconds)

    await asyncio.gather(*(wait(seconds) for seconds in (300, 1, 60)))
    assert ended == [1, 60, 300]


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_time_never_goes_back(frozen_time, seconds):
    with pytest.raises(ValueError, match="only goes forward"):
        frozen_time.advance(seconds)


async def test_other_threads_keep_their_time(frozen_time):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(_loop_time())))
    thread.start()
    frozen_time.advance(1e6)
    thread.join()
    assert seen[0] < frozen_time.now - 1e5


async def _loop_time():
    return asyncio.get_running_loop().time()


def test_afterwards_time_is_real_again():
    with FrozenTime() as frozen:
        frozen.advance(1e6)
    assert asyncio.run(_loop_time()) < frozen.now - 1e5


async def test_the_real_policy_runs_without_waiting(failing_ai, frozen_time):
    before = frozen_time.now
    answer = await failing_ai("timeout", settings=REAL).ask("?")
    assert answer.error_category == "timeout"
    assert 15 <= frozen_time.now - before < 60.001  # floats of a clock


async def test_a_breaker_lets_a_probe_through_when_its_time_is_over(failing_ai, frozen_time):
    ai = failing_ai(
        *["transient"] * REAL.breaker.failure_threshold,
        then="ok",
        settings=REAL,
        chain=["anthropic/one"],
    )
    while ai.circuit_state is not CircuitState.OPEN:
        await ai.ask("?")
        frozen_time.advance(1)
    frozen_time.advance(30)
    assert (await ai.ask("?")).text
