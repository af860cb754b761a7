"""Places on a route, and the wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from failsoft.policy.bulkhead import Bulkhead, Place

__all__ = ["Route", "RouteFullError"]


class RouteFullError(Exception):
    """The route is full and so is its queue, or no place came free in time."""


class Route:
    """One route's bulkhead with the tasks that wait for it. Safe under several event loops."""

    def __init__(self, name: str, limit: int, queue: int) -> None:
        self.name = name
        self.bulkhead = Bulkhead(limit, queue)
        self._waiting: dict[Place, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def place(self, until: float) -> AsyncIterator[None]:
        """Hold a place; :class:`RouteFullError` where none is free by ``until`` (loop time)."""
        place = self.bulkhead.enter()
        if place is None:
            raise RouteFullError(self.name)
        try:
            if place.state == "waiting":
                await self._wait(place, until)
            yield
        finally:
            self._leave(place)

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

    def _leave(self, place: Place) -> None:
        heir = self.bulkhead.leave(place)
        future = self._waiting.get(heir) if heir is not None else None
        if future is not None:
            future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
