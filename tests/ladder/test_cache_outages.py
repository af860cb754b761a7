"""Whatever is wrong with the file costs the cache, never the request, and it comes back."""

import asyncio
import errno
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from cache_kit import ALIKE, Words, found, keep, look, partition, until
from hypothesis import given, settings
from hypothesis import strategies as st
from manual_clock import ManualClock

from failsoft.ladder.cache.cache import CacheDownError, SemanticCache
from failsoft.storage.sqlite import identity, set_aside
from failsoft.storage.times import StoreTimes

TEXT = "x" * 700


IMPATIENT = StoreTimes(retry=0.05, lock_wait=0.1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "cache.db"


@pytest.fixture
async def start(path):
    caches = []

    def begin(**settings):
        cache = SemanticCache(path, **{"embedder": Words(), "times": IMPATIENT, **settings})
        cache.start()
        caches.append(cache)
        return cache

    yield begin
    for cache in caches:
        await cache.aclose()


async def down(cache, *words):
    async def fallen():
        keep(cache)
        await look(cache)
        return not cache.status.up

    await until(fallen)
    problem = cache.status.problem
    assert all(word in problem for word in words), problem
    assert problem.startswith("cache ")
    assert "\n" not in problem


async def works(cache):
    async def kept():
        keep(cache, "After.", question="Does it work again?")
        return await found(cache, "Does it work again?") == "After." and cache.status.up

    await until(kept)
    assert cache.status.problem == ""


def aside(path):
    return sorted(
        one.name for one in path.parent.glob("cache.db.damaged-*") if "-wal" not in one.name
    )


async def do(cache, work):
    return await asyncio.wrap_future(cache._worker.ask(work))


async def test_a_folder_is_in_its_place(start, path):
    path.mkdir(parents=True)
    cache = start()
    await down(cache, "a directory is in its place: move it away")
    with pytest.raises(CacheDownError, match="a directory"):
        await asyncio.to_thread(cache.stats)
    path.rmdir()
    await works(cache)


async def test_a_file_is_in_place_of_its_folder(start, path):
    path.parent.write_text("")
    cache = start()
    await down(cache, "cannot be used", str(path.parent))
    path.parent.unlink()
    await works(cache)


async def test_another_program_locks_it_what_is_saved_is_still_found(start, path):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await down(cache, "locked by another program", "end that program")
        assert [await found(cache), await found(cache, ALIKE)] == ["Here.", "Here."]
        other.execute("ROLLBACK")
    await works(cache)


async def test_another_program_holds_it_for_itself(start, path):
    await start().aclose()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        cache = start()
        await down(cache, "locked by another program")
        assert await look(cache) is None
    await works(cache)


async def test_a_short_lock_is_waited_for(start, path):
    cache = start(times=StoreTimes(lock_wait=60))
    await look(cache)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        keep(cache)
        assert await look(cache) is None
        other.execute("ROLLBACK")
    await until(lambda: found(cache))
    assert cache.status.since is None
    assert (await asyncio.to_thread(cache.stats)).dropped == 0


async def test_the_disk_is_full_what_is_saved_is_still_found(start):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    await do(cache, lambda file: file._connection.execute("PRAGMA max_page_count = 1").fetchall())

    async def full():
        keep(cache, "x" * 1_000_000, question="Is it large?")
        await look(cache)
        return not cache.status.up

    await until(full)
    assert "the disk is full: free some space" in cache.status.problem
    assert [await found(cache), await found(cache, ALIKE)] == ["Here.", "Here."]
    many = "PRAGMA max_page_count = 1000000"
    await do(cache, lambda file: file._connection.execute(many).fetchall())
    await works(cache)


async def test_it_may_not_be_written_what_is_saved_is_still_found(start):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    await do(cache, lambda file: file._connection.execute("PRAGMA query_only = ON").fetchall())
    await down(cache, "cannot be written", "give this user the right to write")
    assert [await found(cache), await found(cache, ALIKE)] == ["Here.", "Here."]
    await do(cache, lambda file: file._connection.execute("PRAGMA query_only = OFF").fetchall())
    await works(cache)


async def test_it_is_removed_while_in_use(start, path):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    for part in path.parent.iterdir():
        part.unlink()
    await works(cache)
    assert await look(cache) is None
    assert path.exists()


async def test_no_sqlite_file_is_set_aside(start, path, caplog):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    cache = start()
    await works(cache)
    [name] = aside(path)
    assert (path.parent / name).read_bytes() == b"no database " * 1000
    [record] = [record for record in caplog.records if record.message == "cache_set_aside"]
    assert record.fields == {"file": str(path), "now": name}


def test_a_file_that_another_process_has_begun_anew_is_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"new")
    set_aside(path, (0, 0))
    assert path.read_bytes() == b"new"
    set_aside(path, identity(path))
    assert not path.exists()
    assert len(aside(path)) == 1


@pytest.mark.parametrize("version", [0, 99])
async def test_other_tables_are_set_aside(start, path, version):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE entries (id)")
        other.execute(f"PRAGMA user_version = {version}")
    await works(start())
    assert len(aside(path)) == 1


async def test_a_newer_file_that_is_made_again_is_reported_with_the_versions_of_the_cache(
    start, path
):
    def make_newer():
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")

    path.parent.mkdir()
    make_newer()
    cache = start(times=StoreTimes(retry=60))
    await works(cache)
    assert len(aside(path)) == 1
    for part in path.parent.glob("cache.db*"):
        part.unlink()
    make_newer()
    await down(cache, "written by a later version (schema 99, this one knows 1)")


async def test_it_cannot_be_set_aside(start, path, monkeypatch):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("failsoft.storage.sqlite.Path.replace", refuse)
        cache = start()
        await down(cache, "Read-only file system")
    await works(cache)


async def test_an_answer_that_was_written_over_is_not_given(start, path):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    change = "UPDATE entries SET response = 'Forged.'"
    await do(cache, lambda file: file._connection.execute(change).fetchall())
    assert await look(cache) is None
    await works(cache)
    assert len(aside(path)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET question = x'ff'",
        "UPDATE entries SET response = 7",
        "UPDATE entries SET answered_at = 'soon'",
        "UPDATE entries SET answered_at = answered_at + 1",
        "UPDATE entries SET tenant = x'ff'",
        "UPDATE entries SET seal = x''",
        "UPDATE vectors SET vector = x'00'",
        "UPDATE vectors SET vector = 'text'",
        "UPDATE vectors SET vector = randomblob(length(vector))",
        "DROP TABLE vectors",
        "DROP TABLE entries",
    ],
)
async def test_a_row_that_was_written_over_is_not_given(start, change):
    cache = start()
    keep(cache)
    assert await found(cache) == "Here."
    await do(cache, lambda file: file._connection.execute(change).fetchall())
    for asked in ("How do I reset my password?", ALIKE):
        hit = await look(cache, asked)
        assert hit is None
    await works(cache)


async def test_an_answer_moved_to_another_partition_is_not_given(start):
    cache = start()
    keep(cache)
    other = partition(route="other")
    cache.keep(other, "What else?", "Mine.", locale="en")
    assert await found(cache) == "Here."
    move = "UPDATE entries SET partition = (SELECT max(number) FROM partitions)"
    await do(cache, lambda file: file._connection.execute(move).fetchall())
    hit = await cache.lookup(other, "How do I reset my password?", locale="en")
    assert hit is None
    await works(cache)


async def test_only_the_latest_damaged_file_is_kept_and_not_for_long(start, path):
    clock = ManualClock()
    path.parent.mkdir()
    old = path.with_name("cache.db.damaged-20000101T000000")
    old.write_bytes(b"older")
    path.write_bytes(b"no database " * 1000)
    clock.now = path.stat().st_ctime
    cache = start(clock=clock, times=replace(IMPATIENT, tidy=0))
    await works(cache)
    assert len(aside(path)) == 1
    assert not old.exists()
    clock.now += 86_401

    async def gone():
        await look(cache)
        return not aside(path)

    await until(gone)


async def test_a_deletion_takes_the_damaged_file_along(start, path):
    path.parent.mkdir()
    path.write_bytes(b"no database " * 1000)
    cache = start()
    await works(cache)
    assert aside(path)
    await asyncio.to_thread(cache.delete, tenant="a")
    assert not aside(path)


async def test_a_schema_that_is_no_text_is_damage(start, path):
    cache = start()
    await works(cache)
    await cache.aclose()
    trigger = b"UPDATE partitions"  # SQLite tells its name where it is not found
    path.write_bytes(path.read_bytes().replace(trigger, trigger[:-1] + b"\x9b"))
    cache = start()
    await works(cache)
    assert aside(path)


def cut(file, at, _junk):
    file.truncate(at)


def scribble(file, at, junk):
    file.seek(at)
    file.write(junk)


@settings(max_examples=120)
@given(
    damage=st.tuples(
        st.sampled_from([cut, scribble]), st.floats(0, 1), st.binary(min_size=1, max_size=5000)
    ),
    part=st.sampled_from(["cache.db", "cache.db", "cache.db-wal"]),
    in_use=st.booleans(),
)
def test_damage_anywhere_gives_no_wrong_answer_and_is_overcome(
    tmp_path_factory, damage, part, in_use
):
    path = tmp_path_factory.mktemp("damage") / "cache.db"

    async def begin():
        cache = SemanticCache(path, embedder=Words(), times=IMPATIENT)
        cache.start()
        return cache

    async def looked(cache):
        for number in range(0, 40, 3):
            for question in (f"What is number {number}?", f"what's number {number}"):
                assert await found(cache, question) in {None, f"{number} {TEXT}"}

    async def run():
        cache = await begin()
        for number in range(40):
            keep(cache, f"{number} {TEXT}", question=f"What is number {number}?")
        await until(lambda: found(cache, "What is number 39?"))
        if not in_use:
            await cache.aclose()
        target = path.with_name(part)
        if target.exists():
            with target.open("r+b") as file:
                do_damage, where, junk = damage
                do_damage(file, int(where * target.stat().st_size), junk)
        if not in_use:
            cache = await begin()
        await looked(cache)
        await works(cache)
        await cache.aclose()
        cache = await begin()
        await looked(cache)
        await works(cache)
        await cache.aclose()

    asyncio.run(run())
