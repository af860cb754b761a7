"""The SQLite log keeps the contract, and what is its own."""

import asyncio
import sqlite3
import stat
import time
from pathlib import Path

import pytest
from log_contract import LogContract
from log_kit import DONE, feed, intent, opened, started, until

from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.storage.times import StoreTimes


@pytest.fixture
async def another(tmp_path):
    logs = []

    async def start(*, on_cancel=lambda *_: None, **settings):
        log = SqliteLog(tmp_path / "data", **settings)
        log.start(on_cancel=on_cancel)
        logs.append(log)
        return log

    yield start
    for log in logs:
        await log.aclose()


class TestSqliteLog(LogContract):
    pass


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def count(path, table):
    with sqlite3.connect(path / "data" / "requests.db") as reader:
        found = reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - ours
    reader.close()
    return found


async def test_folder_and_files_are_this_users_alone(another, tmp_path):
    log = await another()
    await opened(log, intent())
    modes = {path.name: path.stat().st_mode for path in (tmp_path / "data").rglob("*")}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(modes.pop("owners")) == 0o700
    assert {"requests.db", "requests.db-wal", "requests.db-shm"} < set(modes)
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o600}


async def test_nothing_of_this_process_is_left_after_the_end(another, tmp_path):
    log = await another()
    await opened(log, intent())
    assert len(names(tmp_path / "data" / "owners")) == 1
    await log.aclose()
    assert names(tmp_path / "data" / "owners") == []
    assert count(tmp_path, "owners") == 0
    assert names(tmp_path / "data") == ["owners", "requests.db"]


async def test_what_is_too_old_is_deleted_with_its_events_and_what_runs_stays(another, tmp_path):
    now = [1_000_000.0]
    log = await another(retention_seconds=60.0, clock=lambda: now[0])
    running, running_entry = await started(log, intent())
    feed(running_entry, 1)
    for _ in range(120):  # more than go in one transaction
        _, entry = await started(log, intent())
        feed(entry, 1)
        await entry.end(DONE)
    await log.find(running.id, running.scope)
    assert (count(tmp_path, "requests"), count(tmp_path, "events")) == (121, 121)
    now[0] += 61

    async def alone() -> bool:
        await log.find("req", "scope")
        return count(tmp_path, "requests") == 1

    await until(alone)
    assert count(tmp_path, "events") == 1
    assert await log.find(running.id, running.scope) is not None


async def test_the_folder_stays_where_it_was_when_the_process_goes_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    log = SqliteLog(Path("data"), times=StoreTimes(heartbeat=0.01))
    log.start(on_cancel=lambda *_: None)
    record = await opened(log, intent())
    monkeypatch.chdir(tmp_path / "elsewhere")
    for _ in range(5):
        await asyncio.sleep(0.02)
        assert await log.find(record.id, record.scope) == record
    await log.aclose()
    assert names(tmp_path / "elsewhere") == []


async def test_a_lock_file_that_was_removed_is_made_again(another, tmp_path):
    log = await another(times=StoreTimes(heartbeat=0.05))
    await opened(log, intent())
    (path,) = (tmp_path / "data" / "owners").iterdir()
    path.unlink()

    async def there() -> bool:
        return path.exists()

    await until(there)
    sibling = await another()
    record = await opened(log, intent())
    assert await sibling.find(record.id, record.scope) == record


@pytest.mark.parametrize("silent", [29.0, 31.0])
async def test_owners_of_other_hosts_are_known_by_their_heartbeat(another, tmp_path, silent):
    now = 1_000_000.0
    log = await another(clock=lambda: now)
    record, entry = await started(log, intent())
    with sqlite3.connect(tmp_path / "data" / "requests.db") as foreign:
        foreign.execute("UPDATE requests SET owner = 'elsewhere:1:00'")
        foreign.execute("INSERT INTO owners VALUES ('elsewhere:1:00', ?)", (now - silent,))
    foreign.close()
    sibling = await another(clock=lambda: now)
    found = await sibling.find(record.id, record.scope)
    assert found.state.ended is (silent > 30)
    assert count(tmp_path, "owners") == (2 if silent > 30 else 3)
    assert not (await entry.end(DONE))


async def test_a_run_that_was_taken_for_dead_writes_nothing_more(another, tmp_path):
    log = await another()
    record, entry = await started(log, intent())
    data = feed(entry, 1)
    await log.find(record.id, record.scope)
    with sqlite3.connect(tmp_path / "data" / "requests.db") as other:
        other.execute("UPDATE requests SET state = 'interrupted', ended_at = ?", (time.time(),))
    other.close()
    feed(entry, 2)
    entry.progress(5, None)
    found = await log.events(record.id, 1, 0)
    assert (found.data, found.record.attempt) == (data, 0)
    assert not await entry.end(DONE)


async def test_what_is_written_makes_room(another, monkeypatch):
    monkeypatch.setattr("failsoft.request_log.unwritten.MAX_PENDING_BYTES", 150)
    log = await another()
    record, entry = await started(log, intent())
    data = b""
    for number in range(1, 11):
        data += feed(entry, number)
        assert (await log.events(record.id, 1, 0)).data == data


async def test_pending_frames_are_bounded_and_none_follows_a_gap(another, monkeypatch):
    monkeypatch.setattr("failsoft.request_log.unwritten.MAX_PENDING_BYTES", 150)
    log = await another()
    record, entry = await started(log, intent())
    data = feed(entry, 1, 2, 3, 4)
    found = await log.events(record.id, 1, 0)
    assert data.startswith(found.data)
    assert 0 < found.last_id < 4
    feed(entry, 5)
    await entry.end(DONE)
    again = await log.events(record.id, 1, 0)
    assert again.data == found.data
    assert again.record.last_id == 5  # what went out, so that no id is given out twice
