"""Counts of the last minutes, kept in the process for the health page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.policy.window import Window
from failsoft.telemetry.events import AttemptFinished, Event, RequestFinished

__all__ = ["Tally"]

_RATES_SECONDS = 300.0
_RATES_BUCKETS = 30


class Tally:
    """A subscriber: errors by category since the start, and the share of failed requests."""

    def __init__(self) -> None:
        self._errors: dict[str, tuple[int, float]] = {}
        self._requests = Window(_RATES_SECONDS, _RATES_BUCKETS)
        self._fallbacks = Window(_RATES_SECONDS, _RATES_BUCKETS)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, AttemptFinished) and event.category:
            count, _ = self._errors.get(event.category, (0, 0.0))
            self._errors[event.category] = (count + 1, event.at)
        elif isinstance(event, RequestFinished) and event.outcome != "cancelled":
            self._requests.add(event.at, marked=event.outcome == "error")
            self._fallbacks.add(event.at, marked=bool(event.position))

    def errors(self) -> Mapping[str, Any]:
        """Failed attempts by category: how many, and when last (seconds since the epoch)."""
        return {
            name: {"count": count, "last_at": at}
            for name, (count, at) in sorted(self._errors.items())
        }

    def rates(self, at: float) -> Mapping[str, Any]:
        """Over the five minutes up to ``at`` (wall clock): requests, and shares of them."""
        requests, failed = self._requests.totals(at)
        _, fell_back = self._fallbacks.totals(at)
        return {
            "requests": requests,
            "failed": round(failed / requests, 4) if requests else 0.0,
            "fallback": round(fell_back / requests, 4) if requests else 0.0,
        }
