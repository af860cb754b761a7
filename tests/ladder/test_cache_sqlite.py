"""The SQLite cache keeps the contract, and what is its own."""

import asyncio
import sqlite3
import stat
from contextlib import closing

import pytest
from cache_contract import CacheContract
from cache_kit import ALIKE, ASKED, Words, found, keep, look, partition, until
from hypothesis import given, settings
from hypothesis import strategies as st
from manual_clock import ManualClock

from failsoft.ladder.cache.cache import CacheDownError, SemanticCache
from failsoft.storage.times import StoreTimes


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def another(tmp_path, clock):
    caches = []

    async def start(**settings):
        given = {"embedder": Words(), "clock": clock, **settings}
        cache = SemanticCache(tmp_path / "data" / "cache.db", **given)
        cache.start()
        caches.append(cache)
        return cache

    yield start
    for cache in caches:
        await cache.aclose()


class TestSqliteCache(CacheContract):
    pass


async def saved(cache, count):
    async def reached():
        return (await asyncio.to_thread(cache.stats)).entries == count

    await until(reached)


async def test_the_file_is_this_users_alone(another, tmp_path):
    await look(await another())
    folder = tmp_path / "data"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "cache.db").stat().st_mode) == 0o600


async def test_of_what_is_deleted_no_trace_is_left(another, tmp_path):
    cache = await another()
    keep(cache, "a very telling answer", question="a very telling question", tenant="a")
    await saved(cache, 1)
    await asyncio.to_thread(cache.delete, tenant="a")
    await cache.aclose()
    rest = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert b"telling" not in rest


async def test_of_what_is_deleted_no_trace_is_left_while_it_is_open(another, tmp_path):
    cache, reader = await another(), await another()
    keep(cache, "a very telling answer", question="a very telling question", tenant="a")
    await saved(reader, 1)
    await asyncio.to_thread(cache.delete, tenant="a")
    assert (tmp_path / "data" / "cache.db-wal").stat().st_size == 0


async def test_what_has_expired_leaves_the_file(another, clock, tmp_path):
    cache = await another(times=StoreTimes(tidy=0.02))
    for number in range(300):
        keep(cache, question=f"What is number {number}?")
    await saved(cache, 300)
    clock.now += 86_401
    keep(cache, partition=partition(route="new"))
    await until(lambda: found(cache, route="new"))
    with closing(sqlite3.connect(tmp_path / "data" / "cache.db")) as reader:

        async def one_left():  # without a question to the cache, which would wake it
            return reader.execute("SELECT count(*) FROM entries").fetchone() == (1,)

        await until(one_left)
    assert (await asyncio.to_thread(cache.stats)).partitions == 1


async def test_the_file_takes_so_many_bytes_and_the_oldest_go(another):
    cache = await another(max_bytes=1_000_000, times=StoreTimes(tidy=0.02))
    for number in range(1000):
        keep(cache, "x" * 3000, question=f"What is number {number}?")
        if not number % 100:
            await look(cache)

    async def small():
        stats = await asyncio.to_thread(cache.stats)
        return 0 < stats.bytes <= 1_000_000 and stats.dropped == 0

    await until(lambda: found(cache, "What is number 999?"))
    await until(small)
    assert await found(cache, "What is number 0?") is None


async def test_a_matrix_grows_and_forgets_what_has_expired(another, clock):
    cache = await another()
    for number in range(200):
        keep(cache, question=f"Is colour {number} nice?")
    await saved(cache, 200)
    await look(cache, ALIKE)
    clock.now += 86_401
    for number in range(100):
        keep(cache, question=f"Is shape {number} nice?")
    keep(cache)
    await until(lambda: found(cache, ALIKE))
    [matrix] = await matrices(cache)
    assert len(matrix) == 264  # as it was
    for number in range(200):
        keep(cache, question=f"Is size {number} nice?")
    await saved(cache, 301 + 200)
    assert await found(cache, ALIKE) == "Here."
    [matrix] = await matrices(cache)
    assert len(matrix) == 528


async def matrices(cache):
    ask = cache._worker.ask(lambda file: list(file.search._matrices.values()))
    return await asyncio.wrap_future(ask)


async def test_what_was_deleted_elsewhere_is_looked_at_once(another):
    cache, sibling = await another(), await another()
    keep(cache)
    assert await found(cache, ALIKE) == "Here."
    await asyncio.to_thread(sibling.delete)
    keep(cache, partition=partition(context="d"))  # so that the partition is not empty
    keep(cache, question="Is it nice?")
    assert await found(cache, "Is it nice?") == "Here."
    assert await look(cache, ALIKE) is None
    for matrix in await matrices(cache):
        assert list(matrix.nearest(Words().embed(ALIKE), 0.7)) == []


async def test_matrices_are_bounded_together(another, monkeypatch):
    monkeypatch.setattr("failsoft.ladder.cache.search._ROWS_IN_MEMORY", 130)
    cache = await another()
    for number in range(5):
        keep(cache, partition=partition(route=str(number)))
        assert await found(cache, ALIKE, route=str(number)) == "Here."
    assert len(await matrices(cache)) == 2
    assert await found(cache, ALIKE, route="0") == "Here."


@settings(max_examples=50)
@given(moves=st.lists(st.floats(-200_000, 200_000), min_size=1, max_size=6))
def test_however_the_clock_moves_nothing_is_served_beyond_its_time(tmp_path_factory, moves):
    clock = ManualClock()
    path = tmp_path_factory.mktemp("clock") / "cache.db"

    async def run():
        cache = SemanticCache(path, embedder=None, clock=clock)
        cache.start()
        keep(cache)
        given_at = clock.now
        for move in moves:
            clock.now += move
            if await look(cache):
                assert -5 <= clock.now - given_at <= 86_400
        await cache.aclose()

    asyncio.run(run())


async def test_an_embedder_that_never_loads_costs_like_questions_only(another):
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load():
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        return Words()

    cache = await another(embedder=load, times=StoreTimes(embedder=0.05))
    keep(cache)
    assert await found(cache) == "Here."
    assert await look(cache, ALIKE) is None
    gate.set()

    async def loaded():
        keep(cache)
        return await found(cache, ALIKE)

    await until(loaded)


async def test_an_embedder_that_cannot_be_loaded_is_told_once(another, caplog):
    def load():
        raise ImportError("pip install failsoft[cache]")

    cache = await another(embedder=load)
    keep(cache)
    assert await found(cache) == "Here."
    assert await look(cache, ALIKE) is None
    assert cache.status.up
    stats = await asyncio.to_thread(cache.stats)
    assert stats.similar_problem == "pip install failsoft[cache]"
    assert [record.message for record in caplog.records] == ["cache_embedder_failed"]


async def test_an_embedder_is_not_loaded_where_nothing_is_shared(another):
    loaded = []
    cache = await another(embedder=lambda: loaded.append(1) or Words())
    keep(cache, partition=partition(shared=False))
    assert await found(cache, shared=False)
    assert await look(cache, ALIKE, shared=False) is None
    assert loaded == []


async def test_a_listener_that_fails_costs_nothing(another, caplog):
    def fail(_):
        raise ValueError("listener")

    cache = await another(shadow=True, on_shadow=fail)
    keep(cache)
    assert await look(cache, ALIKE) is None
    assert await found(cache) == "Here."
    assert cache.status.up
    assert "listener" in caplog.text


async def test_a_caller_that_gives_up_leaves_it_working(another):
    cache = await another()
    keep(cache)
    looking = asyncio.create_task(look(cache))
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert await found(cache) == "Here."


async def test_no_question_is_in_the_log_in_shadow_mode(another, caplog):
    caplog.set_level("DEBUG")
    cache = await another(shadow=True)
    keep(cache)
    await look(cache, ALIKE)
    [record] = [record for record in caplog.records if record.message == "cache_shadow_hit"]
    assert set(record.fields) == {"similarity"}


async def test_where_nothing_is_saved_no_embedder_is_waited_for(another):
    def never():
        raise AssertionError("nothing is there that it could find")

    cache = await another(embedder=never)
    assert await look(cache, ALIKE) is None
    assert (await asyncio.to_thread(cache.stats)).similar_problem == ""


async def test_a_question_under_way_does_not_open_what_is_being_closed(another):
    cache = await another()
    worker = cache._worker
    asking = [
        asyncio.wrap_future(
            worker.ask(lambda file: cache._look(partition(), ALIKE, "en", None, file))
        )
        for _ in range(50)
    ]
    await cache.aclose()
    await asyncio.gather(*asking, return_exceptions=True)
    assert cache._worker is None


async def test_whoever_asks_while_it_closes_is_answered(another):
    for _ in range(20):
        cache = await another()
        await look(cache)
        worker = cache._worker
        asking = [asyncio.wrap_future(worker.ask(lambda _: 1)) for _ in range(5)]
        closing = asyncio.create_task(cache.aclose())
        await asyncio.sleep(0)
        asking += [asyncio.wrap_future(worker.ask(lambda _: 1)) for _ in range(5)]
        await closing
        asking.append(asyncio.wrap_future(worker.ask(lambda _: 1)))
        async with asyncio.timeout(5):
            said = await asyncio.gather(*asking, return_exceptions=True)
        assert said[0] == 1
        assert isinstance(said[-1], CacheDownError)


def test_it_works_on_its_own(tmp_path):
    with SemanticCache(tmp_path / "own.db", embedder=Words()) as cache:
        assert cache.find_similar(ASKED) is None
        cache.remember(ASKED, "Here.")
        hit = cache.find_similar(ALIKE)
        assert (hit.response, hit.exact) == ("Here.", False)
        assert 0 <= hit.age_seconds < 60
        assert cache.find_similar(ALIKE, threshold=0.99) is None
    with SemanticCache(tmp_path / "own.db", embedder=Words()) as cache:
        assert cache.find_similar(ASKED).exact


def test_with_the_embedder_that_comes_along(tmp_path):
    patient = StoreTimes(embedder=60)  # a busy machine loads it slowly
    with SemanticCache(tmp_path / "own.db", times=patient) as cache:
        cache.remember(ASKED, "Here.")
        assert not cache.find_similar(ALIKE).exact
