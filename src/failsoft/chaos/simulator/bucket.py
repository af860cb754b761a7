"""A rate limit as the API keeps it: a token bucket, without a clock of its own."""

from __future__ import annotations

__all__ = ["TokenBucket"]


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

    def remaining(self) -> int:
        """Whole requests left after the last :meth:`take`."""
        return int(self._level)

    def seconds_to_next(self) -> float:
        """Seconds from the last :meth:`take` until one more request is allowed."""
        return max(0.0, 1 - self._level) / self._per_second

    def seconds_to_full(self) -> float:
        """Seconds from the last :meth:`take` until the whole burst is allowed again."""
        return (self._burst - self._level) / self._per_second

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
