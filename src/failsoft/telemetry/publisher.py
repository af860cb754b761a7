"""Hands events to their listeners, and counts those of the last minutes for the health page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from failsoft.policy.window import Window
from failsoft.telemetry.events import Event

__all__ = ["Publisher", "Tally", "rfc3339"]


class Publisher:
    """Hands every event to every subscriber; one that fails is logged and never breaks a call.

    It is ``active`` once it has any.
    """

    def __init__(self, subscribers: Sequence[Callable[[Event], None]]) -> None:
        self._subscribers = list(subscribers)
        self.active = bool(subscribers)

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Add a subscriber; it is called in the thread of the request and must be quick."""
        self._subscribers.append(subscriber)
        self.active = True

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                logging.getLogger("failsoft").exception(
                    "a subscriber failed on %s", type(event).__name__
                )


def rfc3339(at: float) -> str:
    """Write a moment (seconds since the epoch) as replies and messages do."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


_RATES_SECONDS = 300.0
_RATES_BUCKETS = 30


class Tally:
    """Failed attempts by category, and the requests of the last five minutes.

    Called directly and not by events, so that health works without subscribers.
    """

    def __init__(self) -> None:
        self._errors: dict[str, tuple[int, float]] = {}
        self._requests = Window(_RATES_SECONDS, _RATES_BUCKETS)
        self._fallbacks = Window(_RATES_SECONDS, _RATES_BUCKETS)
        self._misconfigured = Window(_RATES_SECONDS, _RATES_BUCKETS)

    def attempt_failed(self, category: str, at: float) -> None:
        """Count a failed attempt at ``at`` (seconds since the epoch)."""
        count, _ = self._errors.get(category, (0, 0.0))
        self._errors[category] = (count + 1, at)

    def request_ended(
        self, at: float, *, failed: bool, fell_back: bool, misconfigured: bool
    ) -> None:
        """Count a request that ended at ``at`` (monotonic seconds).

        ``misconfigured``: no model answered for something that only the operator can mend.
        """
        self._requests.add(at, marked=failed)
        if misconfigured:
            self._misconfigured.add(at)
        if fell_back:
            self._fallbacks.add(at)

    def misconfigured(self, at: float) -> bool:
        """Whether that is how most requests of the five minutes up to ``at`` ended."""
        return 2 * self._misconfigured.totals(at)[0] > self._requests.totals(at)[0]

    def mended(self) -> None:
        """Whatever was misconfigured no longer is."""
        self._misconfigured.clear()

    def errors(self) -> Mapping[str, Any]:
        """Failed attempts by category: how many, and when last (RFC 3339)."""
        return {
            name: {"count": count, "last_at": rfc3339(at)}
            for name, (count, at) in sorted(self._errors.items())
        }

    def rates(self, at: float) -> Mapping[str, Any]:
        """Over the five minutes up to ``at`` (monotonic seconds): counts, and shares of requests.

        ``failed`` and ``fallback`` are of ``requests``; a share is from 0 to 1.
        """
        requests, failed = self._requests.totals(at)
        fell_back, _ = self._fallbacks.totals(at)
        return {
            "requests": requests,
            "failed": failed,
            "failed_share": round(failed / requests, 4) if requests else 0.0,
            "fallback": fell_back,
            "fallback_share": round(fell_back / requests, 4) if requests else 0.0,
        }
