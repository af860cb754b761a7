"""What happened to one request, event by event, as it is kept with it."""

from __future__ import annotations

import json
from typing import Any

from failsoft.telemetry import events
from failsoft.telemetry.events import Event

__all__ = ["Stories", "read_story"]

# A request has at most a handful of attempts; one that waits for long is explained by its first.
_MOST_EVENTS = 100


class Stories:
    """A subscriber that keeps the events of the requests it was asked to, until they are taken."""

    def __init__(self) -> None:
        self._open: dict[str, list[Event]] = {}

    def __call__(self, event: Event) -> None:
        """Keep it, if it is of such a request."""
        kept = self._open.get(event.request_id)
        if kept is not None and len(kept) < _MOST_EVENTS:
            kept.append(event)

    def begin(self, request_id: str) -> None:
        """Keep what happens to that request from now on."""
        self._open[request_id] = []

    def take(self, request_id: str) -> bytes:
        """The story so far as JSON; nothing more is kept of it."""
        kept = self._open.pop(request_id, ())
        return json.dumps([_told(event) for event in kept], separators=(",", ":")).encode()


def read_story(data: bytes) -> list[Event]:
    """The events of a story, those left out that this version does not know.

    Raises :class:`ValueError` where it is none.
    """
    told = json.loads(data)
    if not isinstance(told, list):
        raise ValueError("a story is a list of events")  # noqa: TRY004 - what was read is at fault
    return [event for one in told if (event := _event(one)) is not None]


def _told(event: Event) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
    return {"event": type(event).__name__} | fields


def _event(told: Any) -> Event | None:
    try:
        name = told.pop("event")
        return getattr(events, name)(**told) if name in events.__all__ else None
    except (AttributeError, KeyError, TypeError):
        return None
