"""One route: the places on it, the requests that wait there, its retries and its recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from random import Random
from typing import TypeVar

from failsoft.config.settings import Settings
from failsoft.policy.callers import Caller, RecentCallers
from failsoft.policy.pacing import Bulkhead, Demand, Place, RetryBudget
from failsoft.policy.plan_events import BreakerClosed, BreakerOpened
from failsoft.policy.recovery import Recovery
from failsoft.policy.timers import RequestTimes

__all__ = ["BreakerWaiters", "Route", "RouteFullError", "Woken"]

T = TypeVar("T")
Woken = BreakerOpened | BreakerClosed


class BreakerWaiters:
    """The waits under way. Safe under threads and several event loops."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[Woken]] = set()

    async def sleep(self, seconds: float) -> Woken | None:
        """Sleep for ``seconds``, or less: what ended it sooner."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Woken] = loop.create_future()
        self._waiting.add(future)
        timer = loop.call_later(seconds, _cancel, future)
        try:
            await asyncio.wait((future,))
            return None if future.cancelled() else future.result()
        finally:
            timer.cancel()
            self._waiting.discard(future)

    def wake(self, event: Woken) -> None:
        """A breaker opened or closed."""
        for future in list(self._waiting):
            if not _woken(future, event):
                self._waiting.discard(future)


def _woken(future: asyncio.Future[T], result: T) -> bool:
    """Give ``future`` its result in its own loop; false where that was closed under its task."""
    try:
        future.get_loop().call_soon_threadsafe(_wake, future, result)
    except RuntimeError:
        return False
    return True


def _wake(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _cancel(future: asyncio.Future[Woken]) -> None:
    future.cancel()


class RouteFullError(Exception):
    """The route is full and so is its queue, or no place came free in time."""


class Route:
    """One route: its bulkhead with the tasks that wait for it, its retries, its recovery.

    Safe under several event loops.
    """

    def __init__(self, name: str, settings: Settings, rng: Random) -> None:
        limits = settings.bulkhead
        self.name = name
        demand = Demand(settings.retry.budget_window_seconds)
        self.recovery = Recovery(settings.breaker, demand, rng=rng)
        self.answered = RecentCallers()
        self.bulkhead = Bulkhead(limits.route_limit, limits.route_queue)
        most = (limits.route_limit + 1) // 2
        self.retries = RetryBudget(settings.retry, demand, most_waiting=most)
        self._waiting: dict[Place, asyncio.Future[None]] = {}

    def caller(self, who: Hashable = None) -> Caller:
        """One request of ``who`` at the guards."""
        return Caller(who, self.answered, self.recovery)

    async def enter(self, times: RequestTimes) -> Place:
        """Take a place, to be given to :meth:`leave`.

        Raises :class:`RouteFullError` where none is free while starting still makes sense.
        """
        place = self.bulkhead.enter()
        if place is None:
            raise RouteFullError(self.name)
        if place.state == "waiting":
            try:
                await self._wait(place, times.useful_until)
            except BaseException:
                self.leave(place)
                raise
        return place

    def leave(self, place: Place) -> None:
        """Give a place back and wake the next waiter."""
        heir = self.bulkhead.leave(place)
        while heir is not None:
            future = self._waiting.get(heir)
            if future is None or _woken(future, None):
                return
            del self._waiting[heir]
            heir = self.bulkhead.leave(heir)

    async def _wait(self, place: Place, until: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting[place] = future
        try:
            # A place may have come free between asking for one and being ready to hear of it.
            if place.state == "waiting":
                async with asyncio.timeout_at(until):
                    await future
        except TimeoutError:
            raise RouteFullError(self.name) from None
        finally:
            self._waiting.pop(place, None)
