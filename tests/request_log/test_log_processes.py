"""Several processes on one log: killed, rushing, cancelling each other."""

import asyncio
import contextlib

import pytest
from log_child import start_child
from log_kit import feed, frame, intent, opened, until

from failsoft.request_log.contract import Opened, RequestState
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.storage.times import StoreTimes


@pytest.fixture
async def children(tmp_path):
    async with contextlib.AsyncExitStack() as stack:

        async def start(part):
            child = await start_child(part, tmp_path)
            stack.push_async_callback(child.kill)
            return child

        yield start


@pytest.fixture
async def log(tmp_path):
    log = SqliteLog(tmp_path, times=StoreTimes(recover=0.05))
    log.start(on_cancel=lambda *_: None)
    yield log
    await log.aclose()


async def test_after_kill_9_a_request_is_interrupted_and_its_text_is_there(log, children, tmp_path):
    victim, sibling = await asyncio.gather(children("hold"), children("sit"))
    written, silent, ended = (await victim.line()).split()
    held = await sibling.line()
    mine = await opened(log, intent("mine"))
    await victim.kill()

    async def interrupted():
        return (await log.find(written, "acme:ada")).state.ended

    await until(interrupted)
    found = await log.events(written, 1, 0)
    assert found.data == frame(1) + frame(2) + frame(3)
    assert found.record.state is RequestState.INTERRUPTED
    assert (found.record.retryable, found.record.shown_run) == (True, 1)
    assert found.record.last_id > 1000  # above all that was given out and not written
    assert (await log.find(silent, "acme:ada")).state is RequestState.INTERRUPTED
    assert (await log.find(ended, "acme:ada")).state is RequestState.DONE
    assert (await log.find(held, "acme:ada")).state is RequestState.QUEUED
    assert (await log.find(mine.id, mine.scope)).state is RequestState.QUEUED
    assert len(list((tmp_path / "owners").iterdir())) == 2
    again = await log.open(intent("a"))
    assert isinstance(again, Opened)
    assert (again.record.id, again.record.run, again.new) == (written, 2, False)
    assert again.record.first_id == found.record.last_id + 1
    feed(again.entry, again.record.first_id)
    assert (await log.events(written, 2, 3)).last_id == again.record.first_id


async def test_one_key_in_three_processes_is_opened_once(children):
    rushing = await asyncio.gather(*(children("rush") for _ in range(3)))
    assert [await each.line() for each in rushing] == ["ready"] * 3
    for each in rushing:
        each.go()
    assert sum([int(await each.line()) for each in rushing]) == 1
    for each in rushing:
        each.go()
        assert await each.rest() == []


async def test_a_cancel_reaches_another_process(log, children):
    child = await children("sit")
    held = await child.line()
    assert (await log.cancel(held, "acme:ada")).state is RequestState.QUEUED
    assert await child.line() == f"cancel {held} 1"
