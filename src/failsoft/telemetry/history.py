"""What happened to one request, event by event, as it is kept with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from failsoft.telemetry import events
from failsoft.telemetry.events import Event

__all__ = ["read_story", "story_of"]

# A request has at most a handful of attempts; one that waits for long is explained by its first.
_MOST_EVENTS = 100


def story_of(happened: Iterable[Event]) -> bytes:
    """What happened to a request, as JSON."""
    told = [_told(event) for event in islice(happened, _MOST_EVENTS)]
    return json.dumps(told, separators=(",", ":")).encode()


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
