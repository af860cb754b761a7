"""The store in a real Redis, and what may be wrong with it."""

import asyncio
import contextlib
import json

import pytest
from redis_server import needs_redis, redis_server
from store_contract import KEY, StoreContract, breaker, nothing_known, record

from failsoft.shared_state.redis_store import SCHEMA, RedisStore
from failsoft.shared_state.store import Operation, StoreError
from failsoft.storage.redis import connect

pytestmark = needs_redis

NAME = f"failsoft:{SCHEMA}:{{{KEY}}}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def store(server):
    async with connect(server.url, timeout=10.0) as client:
        await client.flushall()
    store = RedisStore(server.url, timeout=10.0)
    yield store
    await store.aclose()


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def store(self, store):
        return store


async def test_scripts_that_were_flushed_are_loaded_again(server, store):
    await store.run([record(1)])
    async with connect(server.url, timeout=10.0) as client:
        await client.script_flush()
    with pytest.raises(StoreError):
        await store.run([record(2)])
    (told,) = await store.run([record(2)])
    assert told["counts"]["failures"] == 2


@pytest.mark.parametrize("kind", ["breaker", "hold"])
async def test_a_key_of_another_kind_is_lost_and_holds_up_no_other(server, store, kind):
    await store.run([breaker("open", 0, 5000, "r", "", 60_000)])
    held = Operation("hold", "held", "hold", ("bench", 5000, 0, 0, 0, "c"))
    (before,) = await store.run([held])
    keys = {"breaker": NAME, "hold": NAME.replace(KEY, "held")}
    async with connect(server.url, timeout=10.0) as client:
        assert await client.exists(*keys.values()) == 2
        await client.delete(keys[kind])
        await client.set(keys[kind], "not a hash")
    told, hold = await store.run([nothing_known(), held])
    assert told["state"] == ("closed" if kind == "breaker" else "open")
    assert hold["until"] > before["until"]


async def test_what_is_kept_expires_and_what_was_isolated_late(server, store):
    await store.run([breaker("open", 0, 5000, "r", "", 60_000), record(1)])
    async with connect(server.url, timeout=10.0) as client:
        assert 3_600_000 < await client.pttl(NAME) <= 3_605_000
        await store.run([breaker("isolate", "p", 2, 0, "by hand")])
        assert await client.pttl(NAME) > 29 * 86_400_000


async def test_junk_on_the_channel_is_not_heard(server, store):
    heard, ready = [], asyncio.Event()
    listening = asyncio.create_task(store.listen(heard.append, ready.set))
    async with asyncio.timeout(30), connect(server.url, timeout=10.0) as client:
        await ready.wait()
        channel = f"failsoft:{SCHEMA}:0:changes"
        while not await client.publish(channel, b"\xff{"):  # noqa: ASYNC110 - no event of ours
            await asyncio.sleep(0)
        for junk in ("", "7", "[]", "{}", '{"key": 7}', '{"key": "no braces"}', "null"):
            await client.publish(channel, junk)
        await client.publish(channel, json.dumps({"key": NAME, "now": 1}))
        while not heard:
            assert not listening.done()
            await asyncio.sleep(0)
    listening.cancel()
    await asyncio.wait([listening])
    assert heard == [{"key": KEY, "now": 1}]


async def until_told(store):
    """What is read once there is a reply in time."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(StoreError):
                return await store.run([nothing_known()])


async def test_a_frozen_server_is_an_error_and_replies_are_not_mixed_up_after(server):
    store = RedisStore(server.url, timeout=0.3)
    try:
        await until_told(store)
        server.freeze()
        for _ in range(3):
            with pytest.raises(StoreError, match="no reply in time"):
                await store.run([nothing_known("breaker:other")])
        server.thaw()
        (told,) = await until_told(store)
    finally:
        await store.aclose()
    assert told["key"] == KEY


async def test_a_store_can_be_closed_while_its_server_hangs(server, store):
    ready = asyncio.Event()
    listening = asyncio.create_task(store.listen(lambda _: None, ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
        server.freeze()
        try:
            listening.cancel()
            await asyncio.wait([listening])
            await store.aclose()
        finally:
            server.thaw()
