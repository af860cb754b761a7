"""The log in Redis keeps the contract, and what is its own."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from log_contract import LogContract
from log_kit import DONE, FAILED, feed, intent, known, opened, started, until
from redis_server import needs_redis, redis_server

from failsoft import Failsoft, Settings
from failsoft.config.settings import ProviderSettings
from failsoft.request_log import redis_wire as scripts
from failsoft.request_log.contract import Opened, RecordRefusedError, RequestState
from failsoft.request_log.redis_commands import place_keys, place_of
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.redis_wire import OWNERS
from failsoft.server.responses import LogReader, awaited
from failsoft.server.service import Service
from failsoft.storage.redis import connect
from failsoft.storage.times import StoreTimes

pytestmark = needs_redis


# A busy machine is not an outage.
TIMES = StoreTimes(reply=15.0, dead=10.0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def another(shared):
    logs = []

    async def start(*, on_cancel=lambda *_: None, times=TIMES, **settings):
        log = RedisLog(shared.url, times=times, **settings)
        log.start(on_cancel=on_cancel)
        logs.append(log)
        return log

    yield start
    for log in logs:
        await log.aclose()
    shared.forget()


class TestRedisLog(LogContract):
    pass


# An owner that gave no sign is dead soon.
SOON = StoreTimes(reply=15.0, dead=1.0, heartbeat=0.05, retry=0.05)


@pytest.fixture
async def admin(shared):
    async with connect(shared.url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("of", ["record", "frames"])
async def test_a_key_that_holds_something_else_is_refused_and_ends_who_waits(another, admin, of):
    log, there = await another(), await another()
    asked = intent("k")
    record, entry = await started(log, asked)
    feed(entry, 1)
    await until(lambda: kept_frames(there, record))
    keys = dict(zip(("record", "frames", "stories"), place_keys(place_of(asked)), strict=True))
    await admin.set(keys[of], "another program's")
    with pytest.raises(RecordRefusedError, match="WRONGTYPE"):
        await there.events(record.id, record.run, 0)
    async with Failsoft(Settings(anthropic=ProviderSettings(api_key="k"))) as ai:
        service = Service.of(ai)
        reader = LogReader(record, 0, ai=ai, log=there, drain=service.drain, render=service.render)
        frames = await reader.read()
        assert frames.ended
        assert b'"type":"error"' in frames.data
        if of == "record":
            async with asyncio.timeout(10):
                assert await awaited(record, log=there, drain=service.drain) is record
            again = await there.open(asked)
            assert isinstance(again, Opened)
            assert not again.entry.durable


async def test_a_refusal_that_goes_on_is_logged_once_in_a_while(another, admin, caplog):
    log, asked = await another(), intent("k")
    await admin.set(place_keys(place_of(asked))[0], "another program's")
    for _ in range(3):
        opened = await log.open(asked)
        assert not opened.entry.durable
    assert [record.message for record in caplog.records].count("request_log_refused") == 1


async def kept_frames(log, record):
    return bool((await log.events(record.id, record.run, 0)).data)


async def die(log):
    """It is killed: it says nothing any more, and takes no leave."""
    log._worker._task.cancel()
    await asyncio.wait((log._worker._task,))
    log._worker = None
    await log._wire.aclose()


async def cut_off(log, monkeypatch):
    """It lives, and does not reach Redis."""

    async def unreachable(_):
        raise ConnectionError("no route")

    monkeypatch.setattr(log._wire, "send", unreachable)
    monkeypatch.setattr(log._wire, "prepare", lambda: unreachable(()))

    async def down():
        return not log.status.up

    await until(down)


async def ended(log, record):
    async def over():
        return (await log.find(record.id, record.scope)).state.ended

    await until(over)
    return await log.find(record.id, record.scope)


async def test_everything_expires(another, admin):
    log, sibling = await another(retention_seconds=60.0), await another(retention_seconds=60.0)
    running, running_entry = await started(log, intent("k"))
    _over, over_entry = await started(log, intent("l"))
    feed(running_entry, 1)
    feed(over_entry, 1)
    await over_entry.end(replace(FAILED, story=b"[]"))
    await opened(sibling, intent("l"))
    await known(sibling, intent("k"))
    await sibling.follow(running.id)
    await sibling.cancel(running.id, running.scope)
    await opened(log, intent())
    keys = [key async for key in admin.scan_iter()]
    assert all(key.startswith(b"failsoft:1:") for key in keys)
    kinds = {key.decode().rsplit(":", 1)[1] for key in keys}
    assert kinds >= {"record", "frames", "stories", "place", "runs", "owners", "followers"}

    async def bounded() -> bool:
        return all([0 < await admin.ttl(key) <= 60 + 86400 for key in await admin.keys()])

    await until(bounded)


async def test_what_ended_is_gone_after_the_retention(another, admin):
    log = await another(retention_seconds=0.2)
    _, entry = await started(log, intent())
    feed(entry, 1)
    await entry.end(DONE)
    await log.aclose()

    async def gone() -> bool:
        return not await admin.keys("*record") + await admin.keys("*frames")

    await until(gone)


async def test_who_asks_finds_the_end_of_a_dead_owners_run(another):
    log, sibling = await another(times=SOON), await another(times=SOON)
    record, entry = await started(log, intent("k"))
    data = feed(entry, 1, 2)
    await log.find(record.id, record.scope)
    await die(log)
    found = await ended(sibling, record)
    assert (found.state, found.retryable) == (RequestState.INTERRUPTED, True)
    assert found.last_id == 100_002
    assert (await sibling.events(record.id, 1, 0)).data == data
    again = await sibling.open(intent("k"))
    assert isinstance(again, Opened)
    assert (again.record.id, again.record.run) == (record.id, 2)
    assert again.record.first_id == found.last_id + 1


async def test_who_opens_the_key_of_a_dead_owner_runs_it_again(another):
    log = await another(times=SOON)
    record = await opened(log, intent("k"))
    await die(log)
    sibling = await another(times=SOON)
    assert (await known(sibling, intent("k"))).record.state is RequestState.QUEUED

    async def free() -> bool:
        return isinstance(await sibling.open(intent("k")), Opened)

    await until(free)
    assert (await sibling.find(record.id, record.scope)).run == 2


async def test_a_dead_owners_runs_are_ended_though_nobody_asks(another, admin):
    log, _ = await another(times=SOON), await another(times=SOON)
    records = [await opened(log, intent(key)) for key in ("k", None)]
    places = [log._places[record.id] for record in records]
    await log.find("r", "s")
    await die(log)
    for place in places:

        async def over(place=place) -> bool:
            return await admin.hget(f"failsoft:1:{{{place}}}:record", "state") == b"interrupted"

        await until(over)

    async def removed() -> bool:
        return await admin.zscore(OWNERS, log._owner) is None and not await admin.keys("*runs")

    await until(removed)


async def test_who_was_cut_off_for_long_finds_its_runs_interrupted(another, monkeypatch):
    log, sibling = await another(times=SOON), await another(times=SOON)
    record, entry = await started(log, intent("k"))
    data = feed(entry, 1)
    await log.find(record.id, record.scope)
    with monkeypatch.context() as broken:
        await cut_off(log, broken)
        feed(entry, 2)
        assert (await ended(sibling, record)).state is RequestState.INTERRUPTED

    async def back() -> bool:
        return log.status.up

    await until(back)
    assert not await entry.end(DONE)
    assert (await sibling.events(record.id, 1, 0)).data == data


async def test_after_an_outage_of_all_nobody_is_taken_for_dead(another, monkeypatch):
    times = replace(SOON, dead=2.5)  # a loop that a busy machine holds up is not dead
    log, sibling = await another(times=times), await another(times=times)
    record, entry = await started(log, intent("k"))
    with monkeypatch.context() as broken:
        await cut_off(sibling, broken)
        await cut_off(log, broken)
        await asyncio.sleep(2.7)  # longer than a life without signs

    async def back() -> bool:
        return log.status.up and sibling.status.up

    await until(back)
    assert (await sibling.find(record.id, record.scope)).state is RequestState.QUEUED
    await asyncio.sleep(2.7)
    assert (await sibling.find(record.id, record.scope)).state is RequestState.QUEUED
    assert await entry.end(DONE)


async def test_a_redis_that_was_emptied_makes_nobody_dead(another, admin):
    log, sibling = await another(), await another()
    await opened(log, intent("a"))
    await admin.flushall()
    record = await opened(log, intent("k"))
    sibling._owner_tasks._living.clear()  # as after its next heartbeat, which finds itself alone
    found = await known(sibling, intent("k"))
    assert (found.record.id, found.record.run, found.record.state) == (
        record.id,
        1,
        RequestState.QUEUED,
    )


async def test_a_clean_end_leaves_no_trace_of_its_owner(another, admin):
    log = await another()
    await opened(log, intent("k"))
    await log.aclose()
    assert [key async for key in admin.scan_iter(f"*{log._owner}*")] == []
    assert await admin.zscore(OWNERS, log._owner) is None


async def test_places_of_those_who_came_second_are_not_kept(another, admin):
    log, sibling = await another(), await another()
    record = await opened(log, intent("k"))
    await asyncio.gather(*(known(sibling, intent("k")) for _ in range(20)))
    await sibling.find(record.id, record.scope)
    assert await admin.keys("*place") == [f"failsoft:1:{{{record.id}}}:place".encode()]


def test_every_script_is_known_by_its_name():
    folder = Path(scripts.__file__).parent / "lua"
    names = {path.stem for path in folder.glob("*.lua")}
    assert names == {"common", *scripts.SCRIPTS}
