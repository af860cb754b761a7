"""Hears the events of every ``Failsoft`` that is made while a check runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from failsoft.telemetry.events import Event
from failsoft.telemetry.publisher import Publisher

__all__ = ["heard"]


@contextmanager
def heard() -> Iterator[list[Event]]:
    """The events so far, of any instance: the application keeps its own to itself."""
    events: list[Event] = []
    real = Publisher.__init__

    def init(publisher: Publisher, subscribers: Sequence[Callable[[Event], None]]) -> None:
        real(publisher, (*subscribers, events.append))

    with patch.object(Publisher, "__init__", init):
        yield events
