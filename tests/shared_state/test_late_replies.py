"""A store is given up for its own slowness alone, and never for good."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from redis_server import needs_redis, redis_server

from failsoft import Settings
from failsoft.config.settings import BreakerSettings
from failsoft.policy.admission import Guards
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target import Target
from failsoft.shared_state.outbox import SharedCoordinator
from failsoft.shared_state.redis_store import RedisStore
from failsoft.shared_state.store import Operation, StoreError, Told
from failsoft.shared_state.sync import Sharing

READ = Operation("breaker", "breaker:x", "sync", (0, 0, 0, "closed", 0, 0, ""))
TARGET = Target(provider="p", model="m", family="f", account="a", host="h")


@needs_redis
@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_process_without_cpu_does_not_give_the_store_up(tmp_path: Path, steps: int) -> None:
    with redis_server(tmp_path) as redis:
        store = RedisStore(redis.url)
        await store.run([READ])
        reading = asyncio.create_task(store.run([READ] * 3))
        for _ in range(steps):
            await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - the loop's thread gets no turn
        assert len(await reading) == 3
        await store.aclose()


@needs_redis
async def test_a_frozen_store_is_given_up(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        store = RedisStore(redis.url)
        await store.run([READ])
        redis.freeze()
        with pytest.raises(StoreError, match="no reply in time"):
            await store.run([READ])
        redis.thaw()
        assert await store.run([READ])
        await store.aclose()


class Stalling:
    """Has everything closed, and no answer for a lease."""

    async def run(self, operations: Sequence[Operation]) -> list[Told]:
        if any(each.name == "lease" for each in operations):
            raise StoreError("no reply in time")
        return [{"key": each.key, "now": 1} | CLOSED for each in operations]

    async def listen(self, _on_change: object, on_ready: Callable[[], None]) -> None:
        on_ready()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        pass


CLOSED = {
    "born": 1, "generation": 1, "state": "closed", "until": 0,
    "isolated": False, "reason": "", "cause": "", "free_at": 0, "kind": "bench",
    "probe_due": False, "parks": 0, "ramp_from": 0, "ramp": 0,
}  # fmt: skip


async def test_a_lease_that_was_asked_for_in_vain_does_not_cut_off_for_good() -> None:
    said: list[str] = []
    loop, rules = asyncio.get_running_loop(), BreakerSettings()
    leading = SharedCoordinator(rules, now=loop.time, wake=lambda: None)
    guards = Guards(Settings(), rng=Random(1), coordinators=leading)
    sharing = Sharing(Stalling(), leading, guards, rules, now=loop.time, on_status=said.append)
    breaker = guards.of(TARGET).breaker
    assert isinstance(breaker, SharedBreaker)
    running = asyncio.create_task(sharing.run())
    await sharing.looked()
    assert leading.switch.leads
    await sharing.grant([breaker], 1.0)
    assert not leading.switch.leads
    async with asyncio.timeout(5):
        while not leading.switch.leads:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    assert said == ["", "no reply in time", "no reply in time", ""]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
