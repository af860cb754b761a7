"""Redis is frozen, dead, empty, full: requests are answered all the same, and it comes back."""

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from functools import partial

import pytest
from log_kit import DONE, FAILED, feed, frame, intent, is_down, known, opened, started, until
from redis_server import needs_redis, redis_server

from failsoft.request_log.contract import LogDownError, Opened, RequestState
from failsoft.request_log.redis_commands import cancels_key, runs_key
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.redis_wire import OWNERS
from failsoft.storage.redis import connect
from failsoft.storage.times import StoreTimes

pytestmark = needs_redis

down = partial(is_down, told="request log in Redis at 127")


# Impatient, but a busy machine is not an outage.
TIMES = StoreTimes(reply=1.0, retry=0.05, heartbeat=0.05, dead=10.0)

# Gives one sign, and the next with what it opens.
IDLE = replace(TIMES, heartbeat=3600.0)


@pytest.fixture
def server(tmp_path):
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
async def start(server):
    logs = []

    def begin(times=TIMES):
        log = RedisLog(server.url, times=times)
        log.start(on_cancel=lambda *_: None)
        logs.append(log)
        return log

    yield begin
    for log in logs:
        await log.aclose()


@pytest.fixture
async def admin(server):
    async with connect(server.url, timeout=30) as client:
        yield client


async def up(log):
    async def risen() -> bool:
        return log.status.up

    await until(risen)
    assert log.status.problem == ""
    await log.find("r", "s")


def lose_replies(log):
    """What is sent is done, and nobody hears of it; once the log has fallen all is well again."""
    send = log._wire.send

    async def deaf(commands):
        await send(commands)
        log._wire.send = send
        raise TimeoutError

    log._wire.send = deaf


async def test_frozen_and_thawed(start, server):
    log, sibling = start(), start()
    record, entry = await started(log, intent("k"))
    other, other_entry = await started(log, intent("o"))
    data = feed(entry, 1, 2)
    await log.find(record.id, record.scope)
    server.freeze()
    data += feed(entry, 3, 4)
    entry.progress(2, None)
    await down(log, "does not answer in time", "tried again by itself")
    data += feed(entry, 5)
    assert await other_entry.end(FAILED)
    server.thaw()
    await up(log)
    await up(sibling)
    assert (await sibling.events(record.id, 1, 0)).data == data
    assert (await sibling.find(record.id, record.scope)).attempt == 2
    assert (await sibling.find(other.id, other.scope)).state is RequestState.FAILED
    assert await entry.end(DONE)
    assert not await entry.end(DONE)


async def test_killed_and_started_again_empty(start, server):
    log = start()
    record, entry = await started(log, intent("k"))
    _, other_entry = await started(log, intent("o"))
    feed(entry, 1)
    server.kill()
    await down(log, "cannot be reached", "check that it runs")
    feed(entry, 2)
    server.start()
    await up(log)
    assert await log.find(record.id, record.scope) is None
    assert await entry.end(DONE)
    anew, anew_entry = await started(log, intent("k"))
    feed(other_entry, 1)  # nothing of it is held for ever
    assert await other_entry.end(DONE)
    assert log._worker.pending._bytes_in == log._worker.pending._bytes_out
    data = feed(anew_entry, 1)
    assert (await log.events(anew.id, 1, 0)).data == data


async def test_not_there_from_the_start(start, server):
    server.kill()
    log = start()
    await down(log, "cannot be reached")
    server.start()
    await up(log)
    await opened(log, intent("k"))
    assert (await known(log, intent("k"))).ours


async def test_a_change_is_logged_once_each_way(start, server, caplog):
    caplog.set_level(logging.INFO, "failsoft.storage")
    log = start()
    await opened(log, intent())
    server.kill()
    await down(log)
    await asyncio.sleep(0.3)  # some tries
    server.start()
    await up(log)
    lines = [(line.levelname, line.getMessage()) for line in caplog.records]
    assert lines == [("ERROR", "request_log_down"), ("WARNING", "request_log_up")]
    assert "cannot be reached" in caplog.records[0].fields["problem"]


async def test_memory_is_bounded_while_it_is_frozen(start, server, monkeypatch):
    monkeypatch.setattr("failsoft.request_log.unwritten.MAX_PENDING_BYTES", 5000)
    log = start()
    record, entry = await started(log, intent())
    server.freeze()
    await down(log)
    assert "lost to the log" not in log.status.problem
    feed(entry, *range(1, 1001))
    assert "lost to the log" in log.status.problem
    server.thaw()
    await up(log)
    found = await log.events(record.id, 1, 0)
    assert len(found.data) < 5000
    assert 0 < found.last_id < 1000
    await entry.end(DONE)
    assert (await log.find(record.id, record.scope)).last_id == 1000


async def test_much_that_was_held_is_written_in_pieces(start, server):
    log = start()
    record, entry = await started(log, intent())
    server.freeze()
    await down(log)
    data = b""
    for number in range(1, 101):
        large = b"id: %d\ndata: %b\n\n" % (number, b"x" * 20_000)
        entry.append(large, number, shown=True)
        data += large
    server.thaw()
    await up(log)
    assert (await log.events(record.id, 1, 0)).data == data


async def test_a_lost_reply_doubles_no_frame(start):
    log = start()
    record, entry = await started(log, intent())
    lose_replies(log)
    data = feed(entry, 1, 2)

    async def fallen() -> bool:
        return not log.status.up

    await until(fallen)
    data += feed(entry, 3)
    await up(log)
    assert (await log.events(record.id, 1, 0)).data == data


async def test_an_opening_that_nobody_heard_of_is_taken_back(start):
    log, sibling = start(), start()
    await log.find("r", "s")
    lose_replies(log)
    lost = await log.open(intent("k"))
    assert isinstance(lost, Opened)
    assert not log.status.up
    assert (await known(sibling, intent("k"))).record.id == lost.record.id
    await up(log)
    again = await sibling.open(intent("k"))
    assert isinstance(again, Opened)
    assert (again.record.id, again.record.run) == (lost.record.id, 2)


async def test_an_end_that_nobody_heard_of_is_the_end(start):
    log = start()
    _, entry = await started(log, intent("k"))
    lose_replies(log)
    assert await entry.end(DONE)
    await up(log)
    assert (await known(log, intent("k"))).record.state is RequestState.DONE


async def test_scripts_that_were_forgotten_are_sent_again(start, admin):
    log = start()
    record, entry = await started(log, intent("k"))
    await admin.script_flush()
    data = feed(entry, 1)
    assert (await log.events(record.id, 1, 0)).data == data
    assert log.status.up


async def test_a_connection_that_was_closed_is_made_again(start, admin):
    log = start()
    record = await opened(log, intent("k"))
    await admin.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.1)
    assert (await known(log, intent("k"))).record == record
    assert log.status.since is None


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            ("CONFIG", "SET", "maxmemory", "1"),
            ("CONFIG", "SET", "maxmemory", "0"),
            "memory is full",
        ),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "read-only replica"),
    ],
)
async def test_it_takes_nothing(start, admin, before, after, words):
    log = start()
    await opened(log, intent("k"))
    await admin.execute_command(*before)
    await down(log, words)
    await admin.execute_command(*after)
    await up(log)
    await opened(log, intent("l"))


async def test_a_wrong_password(start, admin):
    await admin.config_set("requirepass", "planted")
    log = start()
    await down(log, "refuses this user", "redis_url")
    assert "planted" not in log.status.problem


async def test_a_foreign_key_in_its_place_takes_nothing_else_along(start, admin):
    log = start()
    record, entry = await started(log, intent())
    other, other_entry = await started(log, intent())
    await admin.set(f"failsoft:1:{{{record.id}}}:frames", "mine")
    feed(entry, 1)
    data = feed(other_entry, 1)
    assert (await log.events(other.id, 1, 0)).data == data
    with contextlib.suppress(LogDownError):
        await log.events(record.id, 1, 0)
    assert await entry.end(DONE)
    assert log.status.up
    assert (await log.find(record.id, record.scope)).state is RequestState.DONE


async def test_a_foreign_key_in_place_of_an_owners_cancels_is_removed(server, start, admin):
    asked = asyncio.Queue()
    log, sibling = RedisLog(server.url, times=TIMES), start()
    log.start(on_cancel=lambda *told: asked.put_nowait(told))
    record = await opened(log, intent())
    key = cancels_key(record.owner)
    await admin.set(key, "foreign")

    async def gone() -> bool:
        return not await admin.exists(key)

    await until(gone)
    assert (log.status.up, log.status.since) == (True, None)
    await sibling.cancel(record.id, record.scope)
    assert await asyncio.wait_for(asked.get(), 10) == (record.id, 1)
    await log.aclose()


async def test_a_foreign_key_in_place_of_a_dead_owners_runs_takes_no_log_down(start, admin):
    log = start()
    await opened(log, intent())
    await admin.set(runs_key("dead"), "foreign")
    await admin.zadd(OWNERS, {"dead": 1.0})

    async def forgotten() -> bool:
        return await admin.zscore(OWNERS, "dead") is None

    await until(forgotten)
    assert (log.status.up, log.status.since) == (True, None)


@pytest.mark.parametrize("foreign", ["text", "hash", "nothing"])
async def test_owners_that_are_lost_come_back_and_none_counts_as_dead(start, admin, foreign):
    log, sibling = start(), start(IDLE)
    record = await opened(sibling, intent())

    async def noticed() -> bool:
        return record.owner in log._worker._owner_tasks._living

    await until(noticed)
    await admin.delete(OWNERS)
    if foreign == "text":
        await admin.set(OWNERS, "foreign")
    if foreign == "hash":
        await admin.hset(OWNERS, "foreign", "1")

    async def forgotten() -> bool:
        return not await noticed()

    await until(forgotten)
    assert not (await log.find(record.id, record.scope)).state.ended
    assert (log.status.up, log.status.since) == (True, None)
    await opened(sibling, intent("k"))
    assert await admin.zscore(OWNERS, record.owner)


async def test_a_foreign_key_in_place_of_the_owners_disturbs_no_end(server, admin, caplog):
    log = RedisLog(server.url, times=IDLE)
    log.start(on_cancel=lambda *_: None)
    record = await opened(log, intent())
    await admin.set(OWNERS, "foreign")
    await log.aclose()
    assert "request_log_down" not in caplog.text
    assert not await admin.exists(runs_key(record.owner))


async def test_a_lost_owner_that_stays_away_is_dead_after_a_while(server, start, admin):
    log = start(replace(TIMES, dead=0.5))
    gone = RedisLog(server.url, times=IDLE)
    gone.start(on_cancel=lambda *_: None)
    record = await opened(gone, intent())
    await admin.set(OWNERS, "foreign")

    async def interrupted() -> bool:
        return (await log.find(record.id, record.scope)).state is RequestState.INTERRUPTED

    await until(interrupted)
    await gone.aclose()


async def test_before_the_start_it_is_down(server):
    log = RedisLog(server.url)
    assert "not started" in log.status.problem
    await down(log)


async def test_frames_of_a_run_that_others_ended_are_not_held(start, server):
    log = start()
    record, entry = await started(log, intent("k"))
    data = feed(entry, 1)
    await log.find(record.id, record.scope)
    async with connect(server.url, timeout=30) as client:
        await client.hset(
            f"failsoft:1:{{{log._places[record.id]}}}:record", "ended_at", "9999999999"
        )
    feed(entry, 2)
    entry.progress(5, None)
    found = await log.events(record.id, 1, 0)
    assert (found.data, found.record.attempt) == (data, 0)
    entry.append(frame(3), 3, shown=True)
    assert log._worker.pending._bytes_in == log._worker.pending._bytes_out
    assert not await entry.end(DONE)


async def test_a_loop_that_is_held_up_takes_redis_for_no_slower(start, caplog):
    log = start(replace(TIMES, reply=0.4))
    await opened(log, intent("k"))
    loop = asyncio.get_running_loop()
    for tenths in range(5):  # at different moments of a question
        loop.call_later(tenths / 10_000, time.sleep, 0.5)
        assert await known(log, intent("k"))
    assert caplog.records == []
