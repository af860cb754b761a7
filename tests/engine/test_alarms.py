"""Many alarms behind one timer of the loop."""

import asyncio
import gc
import threading
import weakref
from functools import partial
from typing import Any

import pytest
from engine_kit import virtually
from hypothesis import given
from hypothesis import strategies as st

from failsoft.engine.deadline import Alarms, LoopAlarms


def ringing(*offsets: float, cancelled: tuple[int, ...] = ()) -> list[tuple[float, int]]:
    """When each alarm set at ``offsets`` rang, those ``cancelled`` (by place) at once."""

    async def work() -> list[tuple[float, int]]:
        loop = asyncio.get_running_loop()
        alarms, began = LoopAlarms(loop), loop.time()
        rang: list[tuple[float, int]] = []

        def ring(place: int) -> None:
            rang.append((loop.time() - began, place))

        numbers = [
            alarms.set(began + offset, partial(ring, place)) for place, offset in enumerate(offsets)
        ]
        for place in cancelled:
            alarms.cancel(numbers[place])
        await asyncio.sleep(100.0)
        return rang

    result: list[tuple[float, int]] = virtually(work())
    return result


MOMENTS = st.lists(st.integers(0, 20).map(float), max_size=30)


@given(MOMENTS, st.sets(st.integers(0, 29)))
def test_each_rings_once_at_its_moment_unless_it_was_cancelled(
    offsets: list[float], places: set[int]
) -> None:
    cancelled = tuple(place for place in places if place < len(offsets))

    rang = ringing(*offsets, cancelled=cancelled)

    expected = [(at, place) for place, at in enumerate(offsets) if place not in cancelled]
    assert rang == sorted(expected)


def test_an_alarm_may_set_the_next_one_while_it_rings() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        alarms, began = LoopAlarms(loop), loop.time()
        rang: list[float] = []

        def ring() -> None:
            rang.append(loop.time() - began)
            if len(rang) < 3:
                alarms.set(loop.time() + 2.0, ring)

        alarms.set(began + 5.0, ring)
        alarms.set(began + 50.0, lambda: rang.append(50.0))
        await asyncio.sleep(100.0)
        return rang

    assert virtually(work()) == [5.0, 7.0, 9.0, 50.0]


def test_what_was_cancelled_is_let_go_and_costs_the_loop_no_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ring:
        def __call__(self) -> None:
            pytest.fail("it was cancelled")

    async def work() -> None:
        loop = asyncio.get_running_loop()
        timers: list[float] = []
        call_at = loop.call_at

        def counted(when: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
            timers.append(when)
            return call_at(when, *rest, **more)

        monkeypatch.setattr(loop, "call_at", counted)
        alarms = LoopAlarms(loop)
        known = []
        for _ in range(5_000):
            ring = Ring()
            known.append(weakref.ref(ring))
            alarms.cancel(alarms.set(loop.time() + 15.0, ring))
        del ring
        gc.collect()
        assert not any(ref() for ref in known)
        await asyncio.sleep(60.0)
        assert timers == [1015.0, 1060.0], "more than the one alarm and this sleep"

    virtually(work())


def test_many_cancelled_ones_do_not_disturb_the_few_that_are_wanted() -> None:
    async def work() -> list[int]:
        loop = asyncio.get_running_loop()
        alarms, began = LoopAlarms(loop), loop.time()
        rang: list[int] = []
        for number in range(1_000):
            kept = partial(rang.append, number)
            set_number = alarms.set(began + 1.0 + number % 7, kept)
            if number % 100:
                alarms.cancel(set_number)
        await asyncio.sleep(10.0)
        return sorted(rang)

    assert virtually(work()) == list(range(0, 1_000, 100))


def test_every_loop_has_its_own() -> None:
    alarms = Alarms()
    seen: list[LoopAlarms] = []

    async def look() -> None:
        loop = asyncio.get_running_loop()
        seen.append(alarms.running())
        assert alarms.running() is seen[-1]
        assert seen[-1].loop is loop

    async def beside() -> None:
        await look()
        thread = threading.Thread(target=asyncio.run, args=(look(),))
        thread.start()
        thread.join()
        await look()

    asyncio.run(beside())
    asyncio.run(look())

    first, other, first_again, later = seen
    assert first is first_again
    assert len({id(first), id(other), id(later)}) == 3
