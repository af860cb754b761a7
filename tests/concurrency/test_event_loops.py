"""One engine and several event loops: one after the other, side by side, of another make."""

import asyncio
import gc
import logging
import threading
import time
from random import Random

import pytest
import uvloop
from concurrency_kit import settings

from failsoft import (
    BlockingFailsoft,
    Failsoft,
    FailsoftError,
    Settings,
    StreamDone,
    StreamText,
)
from failsoft.config.settings import BreakerSettings, BulkheadSettings
from failsoft.engine.route import BreakerWaiters, Route
from failsoft.policy.plan_events import BreakerOpened
from failsoft.policy.timers import RequestTimes
from failsoft.testing import RunningSimulator

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture
def upstream():
    with RunningSimulator() as running:
        yield running


def run(work, loop_factory=asyncio.new_event_loop):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_loops_one_after_the_other_leave_nothing_open(upstream, caplog, loop_factory):
    ai = Failsoft(settings(upstream))
    for _ in range(3):
        assert run(ai.ask("Hello?"), loop_factory).status == "success"
        gc.collect()  # which would warn of what is left open
    run(ai.aclose(), loop_factory)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_each_kind_of_loop_asks_streams_and_closes(upstream, loop_factory):
    async def main():
        async with Failsoft(settings(upstream)) as ai:
            answer = await ai.ask("Hello?")
            async with ai.stream("Hello?") as events:
                return answer.status, [event async for event in events][-1]

    status, last = run(main(), loop_factory)
    assert status == "success"
    assert isinstance(last, StreamDone)


def test_loops_side_by_side_share_breakers_and_places(upstream):
    upstream.set("*", faults=["529"])
    ai = Failsoft(settings(upstream, breaker=BreakerSettings(failure_span_seconds=0)))

    async def main():
        return [await ai.ask(f"{n}?", timeout=1) for n in range(4)]

    threads = [threading.Thread(target=run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ai.circuit_state == "open"
    assert [target["in_flight"] for target in ai.health()["targets"]] == [0, 0, 0]
    run(ai.aclose())


def test_a_place_is_handed_from_one_loop_to_another(upstream):
    upstream.set("*", faults=["latency;between_events_ms=20"])
    ai = Failsoft(settings(upstream, bulkhead=BulkheadSettings(route_limit=1)))
    threads = [threading.Thread(target=lambda: run(asks(ai))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [request.outcome for request in upstream.requests] == ["completed"] * 3
    run(ai.aclose())


async def asks(ai):
    assert (await ai.ask("Hello?")).status == "success"


def test_without_a_loop_of_asyncio_the_words_say_what_to_do(upstream):
    """As trio would: it steps coroutines itself."""
    ai = Failsoft(settings(upstream))
    for work in (ai.ask("Hello?"), ai.__aenter__(), ai.stream("Hello?").__anext__()):
        with pytest.raises(FailsoftError, match=r"asyncio.*trio\.to_thread.run_sync"):
            work.send(None)
    assert upstream.requests == []


def test_several_threads_share_one_blocking_engine(upstream):
    statuses, ends = [], []
    with BlockingFailsoft(settings(upstream)) as ai:

        def work():
            statuses.append(ai.ask("Hello?").status)
            *_, last = ai.stream("Hello?")
            ends.append(type(last))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        running = [each for each in threading.enumerate() if each.name == "failsoft"]
    assert (statuses, ends) == (["success"] * 8, [StreamDone] * 8)
    assert len(running) == 1
    assert not running[0].is_alive()


def test_a_stream_begun_in_one_thread_is_read_in_another(upstream):
    with BlockingFailsoft(settings(upstream)) as ai:
        stream = ai.stream("Hello?")
        next(stream)
        rest = []
        thread = threading.Thread(target=lambda: rest.extend(stream))
        thread.start()
        thread.join()
    assert any(isinstance(event, StreamText) for event in rest)
    assert isinstance(rest[-1], StreamDone)


def test_the_blocking_form_does_not_wait_for_itself(upstream):
    told = []

    def listen(_event):
        try:
            ai.ask("And again?")
        except FailsoftError as error:
            told.append(str(error))

    with BlockingFailsoft(settings(upstream), on_event=listen) as ai:
        assert ai.ask("Hello?").status == "success"
    assert told
    assert "in its own thread" in told[0]


def left_waiting(begin, waits):
    """A task of a loop that was closed under it."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(begin)

    loop.run_until_complete(asyncio.sleep(0))
    assert waits()
    loop.close()
    return task


def forsaken(task):
    """Its coroutine ends as the collector would end it."""
    task._log_destroy_pending = False
    task.get_coro().close()


def test_a_wait_in_a_loop_that_was_closed_hinders_no_opening():
    waiters = BreakerWaiters()
    task = left_waiting(waiters.sleep(60.0), lambda: waiters._waiting)
    waiters.wake(BreakerOpened())
    assert not waiters._waiting

    async def woken():
        sleep = asyncio.create_task(waiters.sleep(60.0))
        await asyncio.sleep(0)
        waiters.wake(BreakerOpened())
        return await sleep

    assert run(woken()) == BreakerOpened()
    forsaken(task)


def test_a_place_that_falls_to_a_closed_loop_goes_to_the_next():
    limits = BulkheadSettings(route_limit=1, route_queue=5)
    route = Route("chat", Settings(bulkhead=limits), Random(1))
    until = time.monotonic() + 60.0
    times = RequestTimes(until - 60.0, until, until, until)

    async def next_one():
        place = await route.enter(times)
        left = left_waiting_in_thread(route, times)
        entering = asyncio.create_task(route.enter(times))
        await asyncio.sleep(0)
        assert route.bulkhead.waiting == 2
        route.leave(place)
        route.leave(await entering)
        return left

    forsaken(run(next_one()))
    assert (route.bulkhead.held, route.bulkhead.waiting) == (0, 0)


def left_waiting_in_thread(route, times):
    """As :func:`left_waiting`, from within a loop."""
    found = []
    thread = threading.Thread(
        target=lambda: found.append(left_waiting(route.enter(times), lambda: route._waiting))
    )
    thread.start()
    thread.join()
    return found[0]
