"""Hands events to whoever listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from failsoft.telemetry.events import Event

__all__ = ["Publisher"]


class Publisher:
    """Hands every event to every subscriber; one that fails is logged and never breaks a call."""

    def __init__(self, subscribers: Sequence[Callable[[Event], None]]) -> None:
        self._subscribers = list(subscribers)

    def __bool__(self) -> bool:
        return bool(self._subscribers)

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Add a subscriber; it is called in the thread of the request and must be quick."""
        self._subscribers.append(subscriber)

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                logging.getLogger("failsoft").exception(
                    "a subscriber failed on %s", type(event).__name__
                )
