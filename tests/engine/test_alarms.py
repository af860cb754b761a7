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

from failsoft.classify.wire_errors import TimedOut, Timer
from failsoft.engine.deadline import Alarms, LoopAlarms
from failsoft.engine.driver import Watchdog
from failsoft.policy.timers import Limits


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


def held_up(seconds: float, *, comes: bool, answer_seconds: float = 600.0) -> float:
    """An attempt in a loop that does other work for so long; the content ``comes`` meanwhile.

    How long the attempt lasts.
    """

    async def work() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        content: asyncio.Future[None] = loop.create_future()
        limits = Limits(began + 3.0, True, 20.0, 120.0, began + answer_seconds, 8.0)

        def busy() -> None:
            loop.now += seconds  # type: ignore[attr-defined]
            if comes:
                # A socket's callback is before that of a timer, and its task after both.
                loop.call_soon(content.set_result, None)

        loop.call_later(1.0, busy)
        with Watchdog(limits, LoopAlarms(loop), began) as watch:
            await content
            watch.content()
        return loop.time() - began

    result: float = virtually(work())
    return result


def test_what_came_while_the_loop_was_held_up_is_read_first() -> None:
    assert held_up(1.5, comes=True) == 2.5
    assert held_up(10.0, comes=True) == 11.0


def test_a_target_that_is_silent_is_cut_however_late() -> None:
    for seconds, lasts in ((0.5, 3.0), (10.0, 11.1)):
        with pytest.raises(TimedOut) as cut:
            held_up(seconds, comes=False)
        assert cut.value.timer is Timer.FIRST_CONTENT
        assert cut.value.seconds == pytest.approx(lasts)


def test_a_callers_limit_is_kept_by_a_loop_that_is_late() -> None:
    with pytest.raises(TimedOut) as cut:
        held_up(10.0, comes=True, answer_seconds=2.0)
    assert cut.value.timer is Timer.DEADLINE
