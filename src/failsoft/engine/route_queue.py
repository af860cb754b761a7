"""Places on a route, and the wait for one."""

from __future__ import annotations

import asyncio

from failsoft.config.settings import Settings
from failsoft.policy.budget import RetryBudget
from failsoft.policy.bulkhead import Bulkhead, Place
from failsoft.policy.callers import Answered
from failsoft.policy.timers import RequestTimes

__all__ = ["Route", "RouteFullError"]


class RouteFullError(Exception):
    """The route is full and so is its queue, or no place came free in time."""


class Route:
    """One route's bulkhead with the tasks that wait for it, its retries, and who was answered last.

    Safe under several event loops.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        limits = settings.bulkhead
        self.name = name
        self.answered = Answered()
        self.bulkhead = Bulkhead(limits.route_limit, limits.route_queue)
        self.retries = RetryBudget(settings.retry, most_waiting=(limits.route_limit + 1) // 2)
        self._waiting: dict[Place, asyncio.Future[None]] = {}

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
        future = self._waiting.get(heir) if heir is not None else None
        if future is not None:
            future.get_loop().call_soon_threadsafe(_wake, future)

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
            del self._waiting[place]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
