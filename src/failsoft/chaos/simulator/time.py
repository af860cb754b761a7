"""The simulator's clock, and the token bucket of its rate limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Clock", "LimitState", "TokenBucket"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A rate limit as a request met it at ``epoch``; ``next_s`` and ``full_s`` are seconds.

    ``next_s`` is until one more request is allowed, ``full_s`` until all of ``limit`` are.
    """

    allowed: bool
    limit: int
    remaining: int
    next_s: float
    full_s: float
    epoch: float


class TokenBucket:
    """``burst`` requests at once, refilled by ``per_second``; times are seconds on one scale."""

    def __init__(self, *, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._level = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Spend one request; False if there is none left."""
        self._refill(now)
        # The slack forgives the rounding of floats: a request exactly at its time is let through.
        if self._level < 1 - 1e-9:
            return False
        self._level = max(0.0, self._level - 1)
        return True

    def state(self, *, allowed: bool, epoch: float) -> LimitState:
        """As the last :meth:`take`, which returned ``allowed``, has left it."""
        return LimitState(
            allowed=allowed,
            limit=self._burst,
            remaining=int(self._level),
            next_s=max(0.0, 1 - self._level) / self._per_second,
            full_s=(self._burst - self._level) / self._per_second,
            epoch=epoch,
        )

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
