"""Wakes whoever waits to retry when a breaker opens: what they wait for will not come."""

from __future__ import annotations

import asyncio

__all__ = ["Openings"]


class Openings:
    """The waits under way. Safe under threads and several event loops."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    async def sleep(self, seconds: float) -> bool:
        """Sleep for ``seconds``, or less: true where a breaker opened meanwhile."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        timer = loop.call_later(seconds, _cancel, future)
        try:
            await asyncio.wait((future,))
            return not future.cancelled()
        finally:
            timer.cancel()
            self._waiting.discard(future)

    def opened(self) -> None:
        """A breaker opened."""
        for future in list(self._waiting):
            future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _cancel(future: asyncio.Future[None]) -> None:
    future.cancel()
