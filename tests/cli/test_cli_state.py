"""``failsoft state`` beside services that share a Redis."""

import asyncio

import aiohttp
import pytest
from cli_command import running
from redis_server import needs_redis, redis_server

URL = r"serving at (http://127\.0\.0\.1:\d+)"
OPUS = "anthropic/claude-opus-5-5"


@pytest.fixture
def shared(tmp_path):
    with redis_server(tmp_path) as server:
        yield {"FAILSOFT_REDIS_URL": server.url}


async def states(session, url):
    async with session.get(f"{url}/api/health/ai") as reply:
        return {one["target"]: one["state"] for one in (await reply.json())["targets"]}


@needs_redis
async def test_what_is_isolated_by_hand_is_called_by_no_process_until_it_is_restored(
    simulator, environ, shared, invoke, tmp_path
):
    environ |= shared
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as session,
        running("serve", "--port", "0", cwd=folders[0], environ=environ) as one,
        running("serve", "--port", "0", cwd=folders[1], environ=environ) as two,
    ):
        urls = [await each.until(URL, "stderr") for each in (one, two)]
        isolated = await asyncio.to_thread(invoke, "state", "isolate", OPUS, **shared)
        assert (isolated.code, "no process calls it" in isolated.out) == (0, True)
        for each in (one, two):
            await each.until(r"breaker_changed.*isolated by hand", "stderr")
        for url in urls:
            assert (await states(session, url))[OPUS] == "open"
            async with session.post(f"{url}/api/chat", json={"message": "Hello"}) as reply:
                assert (await reply.json())["status"] == "success"
        shown = await asyncio.to_thread(invoke, "state", "show", **shared)
        assert "isolated by hand" in shown.out
        await asyncio.to_thread(invoke, "state", "restore", "claude-opus-5-5", **shared)
        for each in (one, two):
            await each.until(r"breaker_changed.*restored by hand", "stderr")
        for url in urls:
            assert set((await states(session, url)).values()) == {"closed"}
    assert {one.model for one in simulator.requests} == {"claude-sonnet-5-5"}


@needs_redis
def test_reset_closes_everything(shared, invoke):
    invoke("state", "isolate", OPUS, **shared)
    assert "3 breakers are closed" in invoke("state", "reset", **shared).out
    assert "reset by hand" in invoke("state", "show", **shared).out


def test_without_a_redis_it_says_where_to_look(invoke):
    ended = invoke("state", "show")
    assert (ended.code, ended.out) == (2, "")
    assert "redis_url is not set" in ended.err
    assert "/api/health/ai" in ended.err


def test_a_redis_that_is_not_there_is_one_line(invoke):
    ended = invoke("state", "show", FAILSOFT_REDIS_URL="redis://me:planted@127.0.0.1:1/0")
    assert ended.code == 2
    assert ended.err == "failsoft: the Redis of redis_url cannot be used: no connection\n"


@needs_redis
def test_a_target_that_is_not_in_the_chain_is_told(shared, invoke):
    ended = invoke("state", "isolate", "gpt", **shared)
    assert ended.code == 2
    assert "gpt is not in the chain, which is anthropic/claude-opus-5-5" in ended.err
