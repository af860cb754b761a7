"""One deadline for all the calls of a turn, wherever they are made."""

import asyncio
import threading

import pytest
from concurrency_kit import settings

import failsoft
from failsoft import BlockingFailsoft, Failsoft
from failsoft.engine.deadline import monotonic, request_times
from failsoft.testing import RunningSimulator


@pytest.fixture
def hanging():
    with RunningSimulator(faults=["*=hang"]) as running:
        yield running


def left():
    """The seconds that a request begun now would have; nothing is asked."""
    now = monotonic()
    return request_times(failsoft.Settings(), now, timeout=None, stream=False).deadline_at - now


def test_the_nearest_of_nested_deadlines_holds():
    with failsoft.deadline(20), failsoft.deadline(50) as inner:
        assert inner == pytest.approx(20, abs=1)
        assert left() == pytest.approx(20, abs=1)
        with failsoft.deadline(5):
            assert left() == pytest.approx(5, abs=1)
        assert left() == pytest.approx(20, abs=1)
    assert left() == pytest.approx(60)


async def test_tasks_and_to_thread_inherit_it_and_a_new_thread_does_not():
    seen = []
    with failsoft.deadline(20):
        seen.append(await asyncio.create_task(_left()))
        seen.append(await asyncio.to_thread(left))
        async with asyncio.TaskGroup() as tasks:
            seen.append(await tasks.create_task(_left()))
        thread = threading.Thread(target=lambda: seen.append(left()))
        thread.start()
        thread.join()
    *inherited, without = seen
    assert inherited == [pytest.approx(20, abs=1)] * 3
    assert without == 60


async def _left():
    return left()


def test_it_goes_along_into_the_thread_of_the_blocking_form(hanging):
    with BlockingFailsoft(settings(hanging)) as ai, failsoft.deadline(0.5):
        answer = ai.ask("Hello?")
    assert answer.verdict.category == "timeout"
    assert answer.attempts[-1].duration_seconds < 5


async def test_the_second_of_two_asks_has_what_the_first_left(hanging):
    async with Failsoft(settings(hanging)) as ai:
        with failsoft.deadline(0.5):
            first, second = await ai.ask("Hello?"), await ai.ask("And then?")
    assert first.verdict.category == second.verdict.category == "timeout"
    assert second.attempts == ()
