"""Several servers with nothing in common but a Redis: nothing is done twice, nothing is lost."""

import asyncio
import contextlib
import signal
import time

import pytest
from redis_server import needs_redis, redis_server
from server_process import served
from test_requests_processes import (
    QUESTION,
    SLOW,
    SLOWER,
    STALLED,
    STREAM,
    client,
    events_in,
    interrupted,
    post,
    read,
    status,
    text_in,
    written,
)

from failsoft.storage.redis import connect

pytestmark = needs_redis

ONE_CALL = {"idempotency-key": "k"}


@pytest.fixture
def redis(tmp_path):
    with redis_server(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def servers(redis, tmp_path, *faults, count):
    """Servers before one simulator, and a session with each."""
    async with contextlib.AsyncExitStack() as stack:
        upstream, found = "", []
        for number in range(count):
            shared = redis.url, str(tmp_path / f"server{number}")
            one = await stack.enter_async_context(
                served(*faults, drain=2, upstream=upstream, shared=shared)
            )
            upstream = upstream or one.simulator.url
            found.append((one, await stack.enter_async_context(client(one))))
            await connected(found[-1][1])
        yield found


async def connected(session):
    """Return once the log is read: until it was reached first a request is answered without it."""
    while True:
        async with session.get("/api/requests/req_none") as reply:
            if reply.status == 404:
                return


async def test_fifty_copies_over_three_servers_are_one_call(redis, tmp_path):
    async with servers(redis, tmp_path, SLOW, count=3) as three:
        simulator = three[0][0].simulator
        for path in (STREAM, "/api/chat"):
            before = len(simulator.requests)
            sessions = [three[number % 3][1] for number in range(50)]
            replies = await asyncio.gather(*(post(each, f"k{path}", path) for each in sessions))
            assert len(simulator.requests) - before == 1
            assert len({body for _, _, body in replies}) == 1
            assert len({headers["x-request-id"] for _, headers, _ in replies}) == 1
            for _, session in three:
                _, headers, body = await post(session, f"k{path}", path)
                assert (body, headers["Idempotent-Replayed"]) == (replies[0][2], "true")
            assert len(simulator.requests) - before == 1


async def test_another_server_follows_tells_and_cancels(redis, tmp_path):
    async with servers(redis, tmp_path, STALLED, count=2) as ((_, here), (_, there)):
        async with here.post(STREAM, json=QUESTION) as reply:
            raw = await reply.content.readuntil(b'"type":"text"')
            request_id = reply.headers["x-request-id"]
            tab = asyncio.create_task(read(there, f"/api/requests/{request_id}/stream"))
            assert (await written(there, request_id))["status"] == "running"
            async with there.delete(f"/api/requests/{request_id}") as deleted:
                assert deleted.status in (200, 202)
            raw += await reply.content.read()
        whole = events_in(raw)
        assert whole[-1][1]["type"] == "stream_interrupted"
        assert events_in(await tab) == whole
        assert (await status(there, request_id))["status"] == "cancelled"


async def followed(redis):
    """Return once the log has that a reader elsewhere follows."""
    async with connect(redis.url, timeout=30) as admin, asyncio.timeout(10):
        while not await admin.keys("*:followers"):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.01)


async def test_a_reader_on_another_server_keeps_a_request_alive(redis, tmp_path):
    async with servers(redis, tmp_path, SLOW, count=2) as ((_, here), (_, there)):
        async with here.post(STREAM, json=QUESTION) as reply:
            await reply.content.readuntil(b'"type":"text"')
            request_id = reply.headers["x-request-id"]
            tab = await there.get(f"/api/requests/{request_id}/stream")
            assert tab.status == 200, await tab.text()
            raw = await tab.content.readuntil(b'"type":"text"')
            await followed(redis)
        raw += await tab.content.read()
        assert events_in(raw)[-1][1]["type"] == "done"


async def test_who_reads_elsewhere_when_redis_is_emptied_keeps_what_was_shown(redis, tmp_path):
    async with servers(redis, tmp_path, SLOW, count=2) as ((_, here), (_, there)):
        async with here.post(STREAM, json=QUESTION) as reply:
            raw = await reply.content.readuntil(b'"type":"text"')
            request_id = reply.headers["x-request-id"]
            tab = await there.get(f"/api/requests/{request_id}/stream")
            shown = await tab.content.readuntil(b'"type":"text"')
            async with connect(redis.url, timeout=30) as admin:
                await admin.flushall()
            shown += await tab.content.read()
            raw += await reply.content.read()
        assert events_in(raw)[-1][1]["type"] == "done"
        (*_, (_, last)) = events = events_in(shown)
        assert last["type"] == "stream_interrupted"
        assert last["chars_before_error"] == len(text_in(events)) > 0
        assert "restart" not in last["user_message"]


async def test_what_a_killed_server_ran_is_interrupted_and_its_text_is_there(redis, tmp_path):
    async with servers(redis, tmp_path, STALLED, count=2) as ((victim, here), (_, there)):
        reply = await here.post(STREAM, json=QUESTION, headers=ONE_CALL)
        raw = await reply.content.readuntil(b'"type":"text"')
        raw += await reply.content.readuntil(b"\n\n")
        request_id = reply.headers["x-request-id"]
        mine = await there.post(STREAM, json=QUESTION)
        tab = asyncio.create_task(read(there, f"/api/requests/{request_id}/stream"))
        await written(there, request_id, text_in(events_in(raw)))
        victim.process.send_signal(signal.SIGKILL)
        await victim.process.wait()
        reply.close()
        state = await interrupted(there, request_id)
        shown = events_in(raw)
        assert state["text"].startswith(text_in(shown))
        assert state["retryable"] is True
        (*_, (number, last)) = events_in(await tab)
        assert last["type"] == "stream_interrupted"
        assert number > shown[-1][0]
        mine_id = mine.headers["x-request-id"]
        assert (await status(there, mine_id))["status"] == "running"
        mine.close()
        simulator = victim.simulator
        before = len(simulator.requests)
        simulator.set("*")
        _, headers, raw = await post(there, "k")
        assert headers["x-request-id"] == request_id
        assert [event["type"] for _, event in events_in(raw)][:2] == ["start", "restart"]
        assert len(simulator.requests) == before + 1


@pytest.mark.parametrize("path", [STREAM, "/api/chat"])
async def test_what_a_server_that_stood_still_ran_is_done_by_another_alone(redis, tmp_path, path):
    async with servers(redis, tmp_path, SLOWER, count=2) as ((still, here), (_, there)):
        asked = asyncio.create_task(post(here, "k", path))
        while not (calls := still.simulator.requests):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.01)
        still.process.send_signal(signal.SIGSTOP)
        still.simulator.set("*")
        async with asyncio.timeout(30):
            # Its key is joined until it is taken for dead.
            while (taken := await post(there, "k", path))[0] != 200 or len(calls) < 2:
                calls = still.simulator.requests
        still.process.send_signal(signal.SIGCONT)
        code, _, cut = await asked
        joined = await post(here, "k", path)
    assert joined[2] == taken[2]
    if path == STREAM:
        last = events_in(cut)[-1][1]
        assert last["type"] in ("stream_interrupted", "error")
        assert last["action"] == "retry"
    else:
        assert (code, b'"response"' in cut) == (503, False)


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_without_redis_everybody_is_answered_and_it_comes_back(redis, tmp_path, how):
    async with servers(redis, tmp_path, count=2) as ((_, here), (_, there)):
        _, headers, first = await post(here, "before")
        getattr(redis, how)()
        for number in range(5):
            for session in (here, there):
                code, _, raw = await post(session, f"{how}{number}")
                assert (code, events_in(raw)[-1][1]["type"]) == (200, "done")
        async with here.get("/api/health/ai") as reply:
            store = (await reply.json())["stores"][0]
        assert (store["name"], store["up"]) == ("request_log", False)
        assert "request log in Redis at 127.0.0.1" in store["problem"]
        if how == "freeze":
            redis.thaw()
        else:
            redis.start()
        await healthy(here)
        await healthy(there)
        _, headers, once = await post(here, "after")
        _, headers, again = await post(there, "after")
        assert (again, headers["Idempotent-Replayed"]) == (once, "true")
        if how == "freeze":
            assert (await post(there, "before"))[2] == first


async def test_a_key_that_holds_something_else_keeps_no_other_out_of_the_log(redis, tmp_path):
    async with servers(redis, tmp_path, count=2) as ((_, here), (_, there)):
        await post(here, "foreign")
        await overwrite_records(redis)
        _, headers, _ = await post(here, "foreign")
        assert headers["Idempotency-Status"] == "unprotected"
        redis.freeze()
        _, headers, answer = await post(here, "own")
        assert headers["Idempotency-Status"] == "unprotected"
        redis.thaw()
        await healthy(here)
        await known(there, headers["x-request-id"])
        assert (await post(there, "own"))[2] == answer


async def known(session, request_id):
    async with asyncio.timeout(15):
        while True:
            if (await status(session, request_id)).get("status") == "done":
                return
            await asyncio.sleep(0.1)


async def overwrite_records(redis):
    async with connect(redis.url, timeout=5) as admin:
        for key in await admin.keys("failsoft:*:record"):
            await admin.set(key, "another program's")


async def healthy(session):
    give_up = time.monotonic() + 15
    while True:
        async with session.get("/api/health/ai") as reply:
            if (await reply.json())["stores"][0]["up"]:
                return
        assert time.monotonic() < give_up
        await asyncio.sleep(0.1)
