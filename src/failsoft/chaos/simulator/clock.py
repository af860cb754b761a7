"""The simulator's time: everything in it asks here what time it is, and waits here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["Clock"]


class Clock:
    """Seconds since the clock was made, on a monotonic scale, and the epoch that goes with them.

    ``monotonic`` and ``epoch`` return seconds, ``sleep`` waits for seconds; tests pass their own.
    The epoch is read once, so that times of one run never jump against each other.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._origin = monotonic()
        self.started_at = epoch()

    def now(self) -> float:
        """Seconds since the start."""
        return self._monotonic() - self._origin

    def epoch(self, seconds: float) -> float:
        """The epoch of a moment given in seconds since the start."""
        return self.started_at + seconds

    async def sleep(self, seconds: float) -> None:
        """Wait; no time at all is not even a turn of the loop."""
        if seconds > 0:
            await self._sleep(seconds)
