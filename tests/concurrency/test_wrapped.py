"""One wrapped client in many threads, in one loop after the other, and in a child of a fork."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from concurrency_kit import settings
from forked import fork

import failsoft
from failsoft.testing import RunningSimulator

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
ASKED = {"max_tokens": 32, "messages": [{"role": "user", "content": "What is escrow?"}]}


@pytest.fixture
def upstream():
    with RunningSimulator(faults=[f"{OPUS}=529"]) as running:
        yield running


@pytest.fixture
def client(upstream):
    bare = anthropic.Anthropic(api_key="k", base_url=upstream.url)
    yield failsoft.wrap(bare, chain=[SONNET], settings=settings(upstream))
    bare.close()


def asked(client):
    return client.messages.create(model=OPUS, **ASKED).model


def read(client):
    with client.messages.stream(model=OPUS, **ASKED) as stream:
        return stream.get_final_message().model


@pytest.mark.parametrize("call", [asked, read])
def test_many_threads_share_one_client(client, call):
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(call, [client] * 60)) == [SONNET] * 60


def test_within_a_running_loop_the_blocking_client_works_too(client):
    async def main():
        return asked(client)

    assert asyncio.run(main()) == SONNET


def test_one_event_loop_after_the_other(upstream):
    async def main(client):
        return (await client.messages.create(model=OPUS, **ASKED)).model

    for _ in range(3):
        bare = anthropic.AsyncAnthropic(api_key="k", base_url=upstream.url)
        client = failsoft.wrap(bare, chain=[SONNET], settings=settings(upstream))

        async def whole(bare=bare, client=client):
            async with bare:
                return await asyncio.gather(*[main(client) for _ in range(10)])

        assert asyncio.run(whole()) == [SONNET] * 10


# What a loop that is gone leaves open is found by the garbage collector, of the bare SDK's too.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stream", [False, True])
def test_one_client_in_one_event_loop_after_the_other(upstream, stream):
    bare = anthropic.AsyncAnthropic(api_key="k", base_url=upstream.url, max_retries=0)
    client = failsoft.wrap(bare, chain=[SONNET], settings=settings(upstream))

    async def one():
        if not stream:
            return (await client.messages.create(model=OPUS, **ASKED)).model
        async with client.messages.stream(model=OPUS, **ASKED) as events:
            return (await events.get_final_message()).model

    async def job(calls):
        return await asyncio.gather(*[one() for _ in range(calls)])

    async def last():
        async with bare:
            return await job(1)

    # The first loop leaves several connections behind, which no later loop can use.
    for calls in (8, 1, 3):
        assert asyncio.run(job(calls)) == [SONNET] * calls
    assert asyncio.run(last()) == [SONNET]
    gc.collect()


@pytest.mark.parametrize("used", [False, True])
def test_a_child_of_a_fork_has_a_thread_of_its_own(client, upstream, used):
    if used:
        assert asked(client) == SONNET

    def child():
        # The SDK's connections are its own affair: a child is not to use its parent's.
        with anthropic.Anthropic(api_key="k", base_url=upstream.url) as fresh:
            return asked(client.copy(http_client=fresh._client))

    assert fork(child)() == SONNET
    assert asked(client) == SONNET
