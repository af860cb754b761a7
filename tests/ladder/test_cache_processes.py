"""Several processes on one file: each finds what the others keep, whatever befalls the file."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cache_child import start_child
from cache_kit import ALIKE, ASKED, Words, found, keep, look, until

from failsoft.ladder.cache.cache import SemanticCache
from failsoft.storage.times import StoreTimes

SCRIBBLE = """
import os, sys
with open(sys.argv[1], "r+b") as file:
    file.write(os.urandom(os.path.getsize(sys.argv[1])))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "cache.db"


@pytest.fixture
async def cache(path):
    cache = SemanticCache(path, embedder=Words(), times=StoreTimes(retry=0.05))
    cache.start()
    yield cache
    await cache.aclose()


@pytest.fixture
async def children(path):
    async with contextlib.AsyncExitStack() as stack:

        async def start(count):
            found = await asyncio.gather(*(start_child(path) for _ in range(count)))
            for child in found:
                stack.push_async_callback(child.kill)
            return found

        yield start


async def test_each_finds_what_another_keeps(cache, children):
    [child] = await children(1)
    assert await child.do("find", ALIKE) == ""
    keep(cache)
    assert await found(cache) == "Here."
    assert await child.do("find", ASKED) == "Here."
    assert await child.do("find", ALIKE) == "Here."
    assert await child.do("keep", ASKED, "There.") == "kept"
    assert [await found(cache), await found(cache, ALIKE)] == ["There.", "There."]
    assert await asyncio.to_thread(cache.delete) == 1
    assert await child.do("find", ALIKE) == ""


async def test_what_was_saved_survives_a_kill(cache, children):
    [child] = await children(1)
    await child.do("keep", ASKED, "There.")
    await child.kill()
    assert await found(cache, ALIKE) == "There."


async def test_processes_that_write_at_once_lose_nothing(cache, children, path):
    some = await children(3)
    await asyncio.gather(*(child.do("flood", f"colour {n}") for n, child in enumerate(some)))

    async def all_saved():
        return (await asyncio.to_thread(cache.stats)).entries == 900

    await until(all_saved, 30)
    assert await found(cache, "What is colour 2 299?") == "x"
    await cache.aclose()
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_damaged_file_is_set_aside_once_and_all_go_on_with_the_new(cache, children, path):
    some = await children(2)
    for number, child in enumerate(some):
        await child.do("keep", f"What is number {number}?", "x" * 5000)
    await look(cache)
    for part in (path, path.with_name("cache.db-wal")):
        subprocess.run([sys.executable, "-c", SCRIBBLE, part], check=True)  # noqa: ASYNC221, S603 - our own code
    answers = await asyncio.gather(*(c.do("find", "What is number 0?") for c in some))
    assert set(answers) <= {"", "x" * 5000}
    for number, child in enumerate(some):
        assert await child.do("keep", f"What is shape {number}?", str(number)) == "kept"

    async def agreed():
        keep(cache, "Mine.")
        said = [await child.do("find", ASKED) for child in some]
        mine = [await found(cache, f"What is shape {number}?") for number in range(2)]
        return said == ["Mine.", "Mine."] and mine == ["0", "1"]

    await until(agreed, 20)
    assert [await child.do("status") for child in some] == ["", ""]
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


SLOW_TO_LOAD = """
import sys, threading, time
from pathlib import Path
from cache_kit import Words, keep
from failsoft.ladder.cache.cache import SemanticCache
from failsoft.storage.times import StoreTimes

def load():
    time.sleep(0.5)  # native code, which no thread may be taken out of
    assert not threading.current_thread().daemon
    print("loaded", flush=True)
    return Words()

cache = SemanticCache(Path(sys.argv[1]), embedder=load, times=StoreTimes(embedder=0.1))
cache.start()
keep(cache)
"""


async def test_a_process_that_ends_without_closing_lets_it_load_and_saves(cache, path):
    keep(cache, "Begun.", question="Is it begun?")
    await found(cache, "Is it begun?")
    folders = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", SLOW_TO_LOAD, path],
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "loaded\n", "")
    assert await found(cache) == "Here."
