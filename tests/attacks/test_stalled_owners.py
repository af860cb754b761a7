"""A process that stood still is taken for dead: what it runs is done once, and given out by one."""

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import replace

import pytest
from manual_clock import ManualClock
from redis_server import needs_redis, redis_server
from server_kit import FakeProvider, assistant, call

from failsoft.request_log import redis_commands
from failsoft.request_log.contract import Ending, Intent, Opened, RequestState, fresh
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.redis_worker import RedisOp
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.request_log.sqlite_rows import interrupt
from failsoft.request_log.unwritten import Protection, Tail
from failsoft.server import create_app
from failsoft.storage.times import StoreTimes

KEY = {"idempotency-key": "k"}
LATER = 1000.0


@pytest.fixture
def clock(monkeypatch):
    clock = ManualClock()
    for module in ("unwritten", "sqlite_worker", "sqlite_log", "redis_worker", "redis_log"):
        monkeypatch.setattr(f"failsoft.request_log.{module}.boot_seconds", clock)
    return clock


def test_a_heartbeat_covers_for_less_than_others_wait(clock):
    protection, tail = Protection(10.0), Tail("r", 1)
    assert not protection.covers(tail)
    protection.confirmed(clock.now)
    protection.renewed(tail)
    clock.now += 7.9
    assert protection.covers(tail)
    clock.now += 0.2
    assert not protection.covers(tail)


def test_after_a_silence_each_run_is_asked_for_whatever_came_since(clock):
    protection, old = Protection(10.0), Tail("old", 1)
    protection.confirmed(clock.now)
    protection.renewed(old)
    clock.now += 12
    protection.confirmed(clock.now)
    assert not protection.covers(old)
    young = Tail("young", 1)
    protection.renewed(young)
    assert protection.covers(young)
    clock.now += 5
    protection.confirmed(clock.now)
    assert (protection.covers(young), protection.covers(old)) == (True, False)
    protection.renewed(old)
    assert protection.covers(old)


def test_a_log_that_does_not_answer_is_asked_now_and_then(clock):
    protection, tail = Protection(10.0), Tail("r", 1)
    protection.excuse(tail)
    assert protection.covers(tail)
    clock.now += 1.1
    assert not protection.covers(tail)


@pytest.fixture(params=["files", pytest.param("redis", marks=needs_redis)])
def logs(request, tmp_path):
    """Make logs that share what they keep."""
    with contextlib.ExitStack() as stack:
        if request.param == "redis":
            patient = StoreTimes(reply=15.0, dead=10.0)
            server = stack.enter_context(redis_server(tmp_path))
            yield lambda: RedisLog(server.url, times=patient)
        else:
            yield lambda: SqliteLog(tmp_path)


@contextlib.asynccontextmanager
async def started(make):
    log = make()
    log.start(on_cancel=lambda *_: None)
    try:
        yield log
    finally:
        await log.aclose()


def intent(name="k"):
    return Intent(
        id=f"req_{name:0>32}",
        scope="s",
        key=name,
        fingerprint=b"f",
        stream=True,
        route="chat",
        locale="en",
    )


INTERRUPTED = Ending(state=RequestState.INTERRUPTED, retryable=True, status=None, body=None)


def strike_off(folder):
    """What another process does in the file with the runs of one that it takes for dead."""
    with contextlib.closing(sqlite3.connect(folder / "requests.db", timeout=20)) as file, file:
        running = "SELECT owner FROM requests WHERE ended_at IS NULL"
        for (owner,) in file.execute(running).fetchall():
            interrupt(file, owner, time.time())


async def take_over(log, record):
    if isinstance(log, RedisLog):
        place = redis_commands.place_of(intent(record.key))
        cut = log._commands.cut(place, record.owner, RequestState.INTERRUPTED)
        await log._ask(RedisOp(commands=[cut]))
    else:
        strike_off(log._options.path.parent)
    again = await log.open(replace(intent(record.key), id="req_" + "2" * 32))
    assert again.record.run == 2
    return again.entry


async def test_a_run_that_was_taken_over_is_not_renewed(logs, clock):
    async with started(logs) as mine, started(logs) as other:
        opened = await mine.open(intent())
        entry, kept = opened.entry, (await mine.open(intent("kept"))).entry
        assert await entry.renew()
        assert entry.covers()
        clock.now += LATER
        assert not entry.covers()
        assert await kept.renew()
        assert kept.covers()
        again = await take_over(other, opened.record)
        assert not entry.covers()
        assert not await entry.renew()
        assert not await entry.end(INTERRUPTED)
        assert await again.renew()


async def test_a_log_that_is_down_takes_nothing_over(logs, clock):
    async with started(logs) as log:
        entry = (await log.open(intent())).entry
        clock.now += LATER
        await log.aclose()
        assert await entry.renew()


class Stalls(FakeProvider):
    """Gives a word, stands still until it is let go, and gives another."""

    def __init__(self):
        self.go_on = asyncio.Event()
        self.stalled = asyncio.Event()
        super().__init__(("first ", self._stall, "NEVER"))

    async def _stall(self):
        self.stalled.set()
        await self.go_on.wait()


@contextlib.asynccontextmanager
async def two_servers(data_dir):
    """Two services over one folder: the first stands still in the middle of its answer."""
    stalls = Stalls()
    ais = (
        assistant(stalls, data_dir=str(data_dir)),
        assistant(FakeProvider(("whole answer",)), data_dir=str(data_dir)),
    )
    yield (create_app(ais[0]), stalls), create_app(ais[1])


@pytest.mark.parametrize("path", ["/api/chat/stream", "/api/chat"])
async def test_what_stood_still_gives_nothing_more_out_and_its_key_joins(path, tmp_path, clock):
    body = {"message": "Hello?"}
    async with two_servers(tmp_path) as ((first, stalls), second), asyncio.timeout(30):
        asked = asyncio.create_task(call(first, path, body, headers=KEY))
        await stalls.stalled.wait()
        clock.now += LATER
        strike_off(tmp_path)
        taken = await call(second, path, body, headers=KEY)
        stalls.go_on.set()
        cut = await asked
        joined = await call(first, path, body, headers=KEY)
    assert (cut.status, joined.status) == ((200, 200) if "stream" in path else (503, 200))
    assert b"NEVER" not in cut.body
    assert b"whole answer" in taken.body
    assert b"whole answer" in joined.body
    assert (len(stalls.calls), stalls.open) == (1, 0)
    if "stream" in path:
        last = cut.events[-1]
        assert (last["type"], last["action"]) == ("stream_interrupted", "retry")
        assert last["chars_before_error"] == len("first ")


async def test_what_the_log_never_took_in_is_nobody_elses(tmp_path, monkeypatch):
    """The reply to its entry was late, so that it was taken back."""

    async def late(_log, asked):
        record = fresh(asked, owner="o", now=time.time())
        return Opened(record, new=True)

    monkeypatch.setattr(SqliteLog, "open", late)
    ai = assistant(FakeProvider(("whole answer",)), data_dir=str(tmp_path))
    reply = await call(create_app(ai), "/api/chat", {"message": "Hello?"}, headers=KEY)
    assert (reply.status, b"whole answer" in reply.body) == (200, True)
