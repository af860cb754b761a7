"""A slow start: the share that is let through grows with time, the same in all processes."""

from __future__ import annotations

from random import Random
from typing import Final

__all__ = ["RAMP_FLOOR_SECONDS", "Ramp"]

# While the slow start lasts, one call a second is let through whatever the dice say: a quiet
# service is never kept waiting for a stampede that is not there.
RAMP_FLOOR_SECONDS: Final = 1.0


class Ramp:
    """Not locked: its owner is. Times are monotonic seconds given by the caller."""

    __slots__ = ("_began", "_last", "_rng", "_seconds", "active")

    def __init__(self, rng: Random) -> None:
        self.active = False
        self._rng = rng
        self._began = 0.0
        self._seconds = 0.0
        self._last = 0.0

    def begin(self, at: float, seconds: float, *, passed_at: float = float("-inf")) -> None:
        """Start slowly from ``at`` on, for ``seconds``; the last call passed at ``passed_at``."""
        self.active = True
        self._began = at
        self._seconds = seconds
        self._last = passed_at

    def end(self) -> None:
        """Let everything through."""
        self.active = False

    def hold_back(self, now: float) -> float | None:
        """``None`` lets one call pass; else until when it is better elsewhere."""
        elapsed = now - self._began
        if elapsed >= self._seconds:
            self.active = False
            return None
        due = now - self._last >= RAMP_FLOOR_SECONDS
        if due or self._rng.random() * self._seconds < elapsed:
            self._last = now
            return None
        # Spread over a whole ramp, so that those held back do not arrive together at its end.
        return now + self._rng.uniform(0.0, self._seconds)
