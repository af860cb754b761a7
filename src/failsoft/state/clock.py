"""The store's clock, told in this process's monotonic seconds."""

from __future__ import annotations

from typing import Final

__all__ = ["StoreClock"]

# A reply is late by its way here: the smallest difference seen is the truest. One that is off by
# more than this is no way, but a clock that was set.
_SET_SECONDS: Final = 0.5


class StoreClock:
    """Learns the difference of the two clocks from every reply."""

    def __init__(self) -> None:
        self._difference: float | None = None

    def learn(self, told_ms: int, now: float) -> None:
        """A reply that says ``told_ms`` came at ``now`` (monotonic seconds)."""
        found, known = now - told_ms / 1000, self._difference
        if known is None or found < known or found - known > _SET_SECONDS:
            self._difference = found

    def here(self, at_ms: int) -> float:
        """A time of the store in monotonic seconds."""
        return at_ms / 1000 + (self._difference or 0.0)
