"""Tells what happens while it happens: one line an event, for somebody who watches a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from failsoft.cli.sentences import sentence
from failsoft.telemetry.events import Event, RequestFinished, RequestStarted

__all__ = ["Narrator"]


class Narrator:
    """A subscriber that prints. Requests are numbered as they come: ``#1``, ``#2``."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._numbers: dict[str, int] = {}
        self._count = 0

    def __call__(self, event: Event) -> None:
        """Print the event's line, if it has one."""
        if isinstance(event, RequestStarted):
            self._count += 1
            self._numbers[event.request_id] = self._count
        line = sentence(event)
        number = self._numbers.get(event.request_id)
        if line is not None:
            said, style = line
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            who = "" if number is None else f"#{number}"
            text = Text.assemble((f"{clock} {who:<4} ", "dim"), (said, style))
            self._console.print(text, soft_wrap=True)
        if isinstance(event, RequestFinished):
            self._numbers.pop(event.request_id, None)
