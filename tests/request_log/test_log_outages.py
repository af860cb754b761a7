"""The log is down: requests are answered all the same, one line says why, and it comes back."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from log_child import child
from log_kit import DONE, FAILED, feed, intent, is_down, opened, started, until

from failsoft.request_log.contract import Known, LogDownError, Opened, RequestState
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.request_log.sqlite_worker import Op
from failsoft.storage.sqlite import connect
from failsoft.storage.times import StoreTimes

down = partial(is_down, told=r"request log .*requests\.db")

SCRIBBLE = """
import os, sys
with open(sys.argv[1], "r+b") as file:
    size = os.path.getsize(sys.argv[1])
    file.seek(size // 4)
    file.write(os.urandom(size // 2))
"""


IMPATIENT = StoreTimes(retry=0.05, heartbeat=0.05, idle_heartbeat=0.05, lock_wait=0.1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "requests.db"


@pytest.fixture
async def start(path):
    logs = []

    def begin():
        log = SqliteLog(path.parent, times=IMPATIENT)
        log.start(on_cancel=lambda *_: None)
        logs.append(log)
        return log

    yield begin
    for log in logs:
        await log.aclose()


async def up(log):
    async def risen() -> bool:
        return log.status.up

    await until(risen)
    assert log.status.problem == ""
    record = await opened(log, intent("after"))
    assert await log.find(record.id, record.scope) == record


class Disk:
    """A limit on the pages of the file, as a full disk is one."""

    def __init__(self):
        self.full = False

    def connect(self, *args, **settings):
        connection = connect(*args, **settings)
        if self.full:
            self.limit(connection)
        return connection

    def limit(self, connection):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    async def fill(self, log):
        self.full = True
        await log._ask(Op(work=lambda rows: self.limit(rows._connection)))


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr("failsoft.storage.sqlite.connect", disk.connect)
    return disk


async def test_a_full_disk(start, disk):
    log = start()
    record, entry = await started(log, intent("k"))
    other, other_entry = await started(log, intent("o"))
    data = feed(entry, 1, 2)
    await log.find(record.id, record.scope)
    await disk.fill(log)
    data += feed(entry, 3, 4)
    await down(log, "the disk is full: free some space")
    data += feed(entry, 5)
    assert await other_entry.end(FAILED)
    disk.full = False
    await up(log)
    assert (await log.events(record.id, 1, 0)).data == data
    assert (await log.find(other.id, other.scope)).state is RequestState.FAILED
    assert await entry.end(DONE)
    assert not await entry.end(DONE)


async def test_what_could_not_be_written_is_written_afterwards(start, disk):
    log = start()
    record, entry = await started(log, intent())
    await disk.fill(log)
    large = b"id: 1\ndata: %b\n\n" % (b"x" * 100_000)
    entry.append(large, 1, shown=True)
    entry.progress(2, None)

    async def fallen():
        return not log.status.up

    await until(fallen)
    disk.full = False
    sibling = start()

    async def caught_up():
        found = await sibling.events(record.id, 1, 0)
        return found.data == large and found.record.attempt == 2

    await until(caught_up)


async def test_a_change_is_logged_once_each_way(start, disk, caplog):
    caplog.set_level(logging.INFO, "failsoft.storage")
    log = start()
    await disk.fill(log)
    await down(log)
    await asyncio.sleep(0.3)  # some tries
    disk.full = False
    await up(log)
    lines = [(line.levelname, line.getMessage()) for line in caplog.records]
    assert lines == [("ERROR", "request_log_down"), ("WARNING", "request_log_up")]
    assert "disk is full" in caplog.records[0].fields["problem"]


async def test_memory_is_bounded_while_the_disk_is_full(start, disk, monkeypatch):
    monkeypatch.setattr("failsoft.request_log.unwritten.MAX_PENDING_BYTES", 5000)
    log = start()
    record, entry = await started(log, intent())
    await disk.fill(log)
    await down(log)
    assert "lost to the log" not in log.status.problem
    feed(entry, *range(1, 1001))
    assert "lost to the log" in log.status.problem
    disk.full = False
    await up(log)
    found = await log.events(record.id, 1, 0)
    assert len(found.data) < 5000
    assert 0 < found.last_id < 1000
    await entry.end(DONE)
    assert (await log.find(record.id, record.scope)).last_id == 1000


async def test_a_limit_on_the_size_of_files(tmp_path):
    down, problem, *rest = await child("size", tmp_path / "data")
    assert down == "down"
    assert "cannot be used (disk I/O error): check the disk" in problem
    assert rest == ["up", "kept"]


async def test_locked_by_another_program(start, path):
    log = start()
    record, entry = await started(log, intent("k"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert isinstance(await log.open(intent()), Opened)
        data = feed(entry, 1)
        await down(log, "locked by another program")
        other.execute("ROLLBACK")
        await up(log)
    assert (await log.events(record.id, 1, 0)).data == data


async def test_locked_from_the_start(start, path):
    log = start()
    await opened(log, intent())
    await log.aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        log = start()
        await down(log, "locked by another program")
    await up(log)


async def test_who_leaves_while_it_is_locked_is_followed_at_once(start, path):
    log = start()
    record = await opened(log, intent("k"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await log.aclose()
        other.execute("ROLLBACK")
    sibling = start()
    assert (await sibling.find(record.id, record.scope)).state is RequestState.INTERRUPTED


def damage(path):
    size = path.stat().st_size
    path.with_name("requests.db-wal").unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(size - 100))


async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(start, path):
    log = start()
    record = await opened(log, intent("k"))
    await log.aclose()
    damage(path)
    before = path.read_bytes()
    log = start()
    await opened(log, intent("new"))
    await until(lambda: _truth(log.status.set_aside))
    await up(log)
    assert kept_aside(log) == before
    assert "requests.db.damaged-" in log.status.set_aside
    with pytest.raises(KeyError):
        await log.events(record.id, 1, 0)


def kept_aside(log):
    return Path(log.status.set_aside).read_bytes()


async def _truth(value):
    return bool(value)


async def test_damaged_in_mid_life(start, path, caplog):
    log = start()
    record, entry = await started(log, intent("k"))
    for number in range(1, 2000):
        entry.append(b"id: %d\ndata: %b\n\n" % (number, b"x" * 4000), number, shown=True)
    await log.events(record.id, 1, 1998)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # From another process: closing the file in this one would take SQLite's locks away.
    subprocess.run([sys.executable, "-c", SCRIBBLE, str(path)], check=True)  # noqa: S603, ASYNC221 - ours

    async def noticed():
        await log.open(intent())
        with contextlib.suppress(LogDownError, KeyError):
            await log.events(record.id, 1, 0)
        return log.status.set_aside

    await until(noticed)
    await up(log)
    assert await entry.end(DONE)
    said = [line.getMessage() for line in caplog.records]
    assert set(said[:2]) == {"request_log_set_aside", "request_log_down"}


async def test_no_database_at_all(start, path):
    path.parent.mkdir()
    path.write_bytes(b"Dear diary,\n" * 500)
    log = start()
    await opened(log, intent("k"))
    await until(lambda: _truth(log.status.set_aside))
    assert kept_aside(log).startswith(b"Dear diary")
    await up(log)


async def test_a_sibling_goes_on_with_the_new_file(start, path):
    one, two = start(), start()
    await opened(one, intent("1"))
    await opened(two, intent("2"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    subprocess.run([sys.executable, "-c", SCRIBBLE, str(path)], check=True)  # noqa: S603, ASYNC221 - ours

    async def joined():
        for log in (one, two):
            with contextlib.suppress(LogDownError, KeyError):
                await log.events("req_none", 1, 0)
        await one.open(intent("both"))
        return isinstance(await two.open(intent("both")), Known)

    await until(joined)
    assert len(list(path.parent.glob("requests.db.damaged-*[0-9]"))) == 1


async def test_a_directory_in_its_place(start, path):
    path.mkdir(parents=True)
    log = start()
    await down(log, "a directory is in its place")
    path.rmdir()
    await up(log)


async def test_a_file_in_place_of_the_folder(start, path):
    path.parent.write_text("")
    log = start()
    await down(log, "cannot be used")
    path.parent.unlink()
    await up(log)


async def test_a_folder_that_cannot_be_written(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o500)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)  # a child without our rights can come as far as here
    down, problem = await child("denied", folder)
    assert down == "down"
    assert "cannot be written" in problem
    assert f"give this user the right to write in {folder}" in problem


async def test_a_newer_schema_is_left_alone(start, path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE requests (of_the_future)")
        other.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    log = start()
    await down(log, "written by a later version (schema 99, this one knows 2)")
    assert path.read_bytes() == before
    path.unlink()
    await up(log)


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_was_taken_away_while_in_use(start, path, how):
    log = start()
    record, entry = await started(log, intent("k"))
    path.rename(path.with_name("old"))
    if how == "replaced":
        path.touch()

    async def anew():
        with contextlib.suppress(LogDownError):
            return path.exists() and await log.find(record.id, record.scope) is None

    await until(anew)
    await up(log)
    assert await entry.end(DONE)


async def test_a_key_that_went_into_a_file_that_was_removed_is_not_taken_for_kept(start, path):
    log = start()
    await opened(log, intent("before"))
    path.unlink()
    found = await log.open(intent("k"))
    assert (found.new, found.entry.durable) == (True, False)


async def test_before_the_start_it_is_down(path):
    log = SqliteLog(path.parent, times=IMPATIENT)
    assert "not started" in log.status.problem
    await down(log)
