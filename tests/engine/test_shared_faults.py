"""Several processes share a Redis that is slow, frozen, gone, empty, or cut off for one of them."""

import asyncio
import json
import logging
import os
import threading
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from engine_kit import Scripted, failsoft, overloaded, says
from redis_server import needs_redis, redis_server

from failsoft import Settings
from failsoft.chaos.tcp_proxy import FaultProxy
from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import CircuitState

pytestmark = needs_redis

RULES = BreakerSettings(
    failure_threshold=3,
    failure_span_seconds=0.0,
    recovery="fixed",
    recovery_timeout_seconds=0.3,
)
MODELS = ("claude-opus-5-5", "claude-haiku-5-5")


@pytest.fixture
def server(tmp_path):
    with redis_server(tmp_path) as server:
        yield server


class Upstream(Scripted):
    """The first model is down where told so; all else answers."""

    down = False

    def exchange(self, call):
        bad = self.down and call.target.model == MODELS[0]
        self.scripts = [overloaded() if bad else says("well")]
        return super().exchange(call)


@asynccontextmanager
async def processes(*urls, rules=RULES):
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        made = []
        for url in urls:
            upstream = Upstream()
            ai = failsoft(upstream, settings=Settings(redis_url=url, breaker=rules), models=MODELS)
            made.append((await stack.enter_async_context(ai), upstream))
        yield made


def shared_up(ai):
    (status,) = [store for store in ai.health()["stores"] if store["name"] == "shared_state"]
    return status["up"]


def breaker(ai):
    return ai._runtime.guards.of(ai._runtime.chain[0]).breaker


def state(ai):
    return breaker(ai).state.value


async def until(true, *, asking=()):
    """Ask on meanwhile: every request is answered, whatever happens to the store."""
    while not true():
        for ai in asking:
            answer = await ai.ask("hello")
            assert answer.status == "success", answer
        await asyncio.sleep(0.01)


async def test_what_one_process_finds_out_the_others_know(server):
    async with processes(*[server.url] * 3) as made:
        ais = [ai for ai, _ in made]
        for _, upstream in made:
            upstream.down = True
        await until(lambda: state(ais[0]) != "closed", asking=ais[:1])
        await until(lambda: all(state(ai) != "closed" for ai in ais))
        for _, upstream in made:
            upstream.down = False
        await until(lambda: all(state(ai) == "closed" for ai in ais), asking=ais)


@pytest.mark.parametrize("fault", ["killed", "frozen", "slow"])
async def test_no_request_fails_when_the_store_does(server, fault, caplog):
    caplog.set_level(logging.INFO, "failsoft")
    async with processes(server.url, server.url) as made:
        ais = [ai for ai, _ in made]
        await until(lambda: all(shared_up(ai) for ai in ais))
        caplog.clear()
        if fault == "killed":
            server.kill()
        else:
            server.freeze()
        await until(lambda: not any(shared_up(ai) for ai in ais), asking=ais)
        assert {ai.health()["status"] for ai in ais} == {"degraded"}
        if fault == "slow":
            for _ in range(3):
                server.thaw()
                await until(lambda: True, asking=ais)
                server.freeze()
                await asyncio.sleep(0.05)
        # Alone they still open, and are well again.
        made[0][1].down = True
        await until(lambda: state(ais[0]) != "closed", asking=ais)
        made[0][1].down = False
        if fault == "killed":
            server.start()
        else:
            server.thaw()
        await until(lambda: all(shared_up(ai) for ai in ais), asking=ais)
        await until(lambda: all(state(ai) == "closed" for ai in ais), asking=ais)
    said = [record.getMessage() for record in caplog.records]
    assert said.count("shared_state_down") >= 2
    assert said.count("shared_state_up") >= 2


@pytest.mark.parametrize("recovery", ["adaptive", "fixed"])
async def test_one_that_is_cut_off_opens_alone_and_tells_when_it_is_back(server, recovery):
    long = BreakerSettings(failure_threshold=3, failure_span_seconds=0.0, recovery=recovery)
    async with FaultProxy(f"http://127.0.0.1:{server.port}") as proxy:
        cut_url = f"redis://{proxy.url.removeprefix('http://')}/0"
        async with processes(cut_url, server.url, rules=long) as ((cut, upstream), (other, _)):
            await proxy.set("blackhole")
            await until(lambda: not shared_up(cut), asking=[cut, other])
            upstream.down = True
            await until(lambda: state(cut) != "closed", asking=[cut, other])
            await until(lambda: shared_up(other))
            assert state(other) == "closed"
            await proxy.set("pass")
            await until(lambda: shared_up(cut) and state(other) != "closed", asking=[cut])


async def test_what_was_isolated_stays_so_over_a_store_that_is_started_again_empty(server):
    async with processes(server.url, server.url) as made:
        ais = [ai for ai, _ in made]

        breaker(ais[0]).isolate()
        await until(lambda: state(ais[1]) == "open")
        server.kill()
        await until(lambda: not any(shared_up(ai) for ai in ais), asking=ais)
        server.start()
        await until(lambda: all(shared_up(ai) for ai in ais), asking=ais)
        for _ in range(20):
            await until(lambda: True, asking=ais)
            assert {state(ai) for ai in ais} == {"open"}
        breaker(ais[1]).restore()
        await until(lambda: all(state(ai) == "closed" for ai in ais))


@pytest.mark.parametrize("moment", ["never begun", "at once", "frozen", "killed", "twice"])
async def test_it_can_be_closed_at_any_moment(server, moment):
    ai = failsoft(Upstream(), settings=Settings(redis_url=server.url), models=MODELS)
    async with asyncio.timeout(30):
        if moment == "at once":
            ai._runtime.shared.begin(ai._runtime.guards)
        elif moment != "never begun":
            await ai.__aenter__()
            assert (await ai.ask("hello")).status == "success"
        if moment == "frozen":
            server.freeze()
        elif moment == "killed":
            server.kill()
        await ai.aclose()
        if moment == "twice":
            await ai.aclose()
        ai._runtime.shared.begin(ai._runtime.guards)
    server.thaw() if moment == "frozen" else None
    assert not [thread for thread in threading.enumerate() if thread.name == "failsoft-shared"]


@pytest.mark.parametrize("used", [False, True])
def test_a_child_that_was_forked_shares_by_itself(server, used):
    ai = failsoft(Upstream(), settings=Settings(redis_url=server.url, breaker=RULES), models=MODELS)
    runtime = ai._runtime

    async def ask():
        async with asyncio.timeout(30):
            assert (await ai.ask("hello")).status == "success"
            while not (runtime.shared.status.up and runtime.shared.leading.switch.leads):  # noqa: ASYNC110 - looking is the test
                await asyncio.sleep(0.01)

    if used:
        asyncio.run(ask())
    parent = runtime.shared.leading.switch.process
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            asyncio.run(ask())
            told = [runtime.shared.leading.switch.process, runtime.shared._pid == os.getpid()]
            runtime.guards.of(runtime.chain[0]).breaker.isolate()

            async def tell():
                await asyncio.sleep(0.5)
                await ai.aclose()

            asyncio.run(tell())
            os.write(writing, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        process, anew = json.loads(said.read() or "[null, false]")
    assert anew
    assert process != parent

    async def know():
        async with asyncio.timeout(30):
            await ask()
            breaker = runtime.guards.of(runtime.chain[0]).breaker
            while breaker.state is not CircuitState.OPEN:  # noqa: ASYNC110 - looking is the test
                await asyncio.sleep(0.01)
            await ai.aclose()

    asyncio.run(know())
