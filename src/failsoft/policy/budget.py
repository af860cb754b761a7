"""The share of traffic that may be retries."""

from __future__ import annotations

from threading import Lock

from failsoft.config.settings import RetrySettings
from failsoft.policy.window import Window

__all__ = ["RetryBudget"]


class RetryBudget:
    """Retries may be ``budget_ratio`` of the requests in the window, or a floor, if that is more.

    A hop to another target is not a retry. The rule is Finagle's ``RetryBudget`` (ratio plus a
    floor a second), with the figures of :class:`~failsoft.config.settings.RetrySettings`.
    """

    def __init__(self, settings: RetrySettings) -> None:
        self._ratio = settings.budget_ratio
        self._floor = settings.budget_floor_per_second * settings.budget_window_seconds
        # Marked counts are retries, the rest requests.
        self._window = Window(settings.budget_window_seconds, settings.budget_window_seconds)
        self._lock = Lock()

    def forked(self) -> None:
        """See :meth:`.Gate.forked`."""
        self._lock = Lock()

    def request(self, now: float) -> None:
        """Count one request that began at ``now`` (seconds, monotonic)."""
        with self._lock:
            self._window.add(now)

    def available(self, now: float) -> bool:
        """Whether a retry would be allowed at ``now``."""
        with self._lock:
            return self._available(now)

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget; ``False`` where none is left."""
        with self._lock:
            if not self._available(now):
                return False
            self._window.add(now, marked=True)
            return True

    def refund(self, now: float) -> None:
        """Give back a retry that was not made after all."""
        with self._lock:
            self._window.take_back(now, marked=True)

    def ratio(self, now: float) -> float:
        """Retries as a share of requests over the window."""
        with self._lock:
            every, retries = self._window.totals(now)
        return retries / (every - retries) if every > retries else 0.0

    def _available(self, now: float) -> bool:
        every, retries = self._window.totals(now)
        return retries < max(self._floor, self._ratio * (every - retries))
