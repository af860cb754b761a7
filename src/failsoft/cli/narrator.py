"""Tells what happens while it happens: one line an event, for somebody who watches a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from failsoft.cli.terminal import duration, model_of
from failsoft.cli.words import in_words
from failsoft.telemetry.events import (
    AttemptFinished,
    Benched,
    BreakerChanged,
    Event,
    FaultInjected,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
)

__all__ = ["Narrator"]

_INSTEAD = {"cached": "a saved answer", "rule": "a prepared answer"}

_Line = tuple[str, str]
"""What to say, and in which style."""


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
        line = _line(event)
        number = self._numbers.get(event.request_id)
        if line is not None:
            said, style = line
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            who = "" if number is None else f"#{number}"
            text = Text.assemble((f"{clock} {who:<4} ", "dim"), (said, style))
            self._console.print(text, soft_wrap=True)
        if isinstance(event, RequestFinished):
            self._numbers.pop(event.request_id, None)


def _line(event: Event) -> _Line | None:
    line: _Line | None = None
    match event:
        case RequestStarted():
            line = f"a question came in{' (stream)' if event.stream else ''}", ""
        case AttemptFinished(outcome="failure"):
            line = _failed(event), "yellow"
        case FaultInjected():
            line = f"{model_of(event.target)} fails on purpose: {in_words(event.reason)}", "yellow"
        case FellBack():
            line = f"went on to {model_of(event.to_target)}", "cyan"
        case RetryScheduled():
            line = f"waits {duration(event.wait_seconds)} before the next try", "cyan"
        case BreakerChanged():
            line = _breaker(event)
        case Benched():
            left = f"{model_of(event.scope)} is left alone for {duration(event.seconds)}"
            line = f"{left}: {in_words(event.reason)}", "magenta"
        case RequestFinished():
            line = _ended(event)
    return line


def _failed(event: AttemptFinished) -> str:
    after = f"{model_of(event.target)} failed after {duration(event.duration_seconds)}"
    return f"{after}: {in_words(event.reason)} ({event.category})"


def _breaker(event: BreakerChanged) -> _Line:
    model = model_of(event.target)
    if event.to_state == "open":
        seconds = event.open_seconds
        known = seconds is not None and seconds != float("inf")
        out = f" for {duration(seconds)}" if seconds is not None and known else ""
        return f"breaker opened: {model} is left out{out} ({event.reason})", "bold red"
    if event.to_state == "half_open":
        return f"breaker half open: {model} is tried with one call", "magenta"
    return f"breaker closed: {model} is back", "green"


def _ended(event: RequestFinished) -> _Line:
    took = duration(event.duration_seconds)
    tries = f"{event.attempts} attempt{'' if event.attempts == 1 else 's'}"
    if event.outcome == "success" and event.level in _INSTEAD:
        return f"given {_INSTEAD[event.level]} after {took}, {tries}", "bold yellow"
    if event.outcome == "success":
        return f"answered in {took} by {model_of(event.target)}, {tries}", "bold green"
    if event.outcome == "cancelled":
        return f"the caller left after {took}", "dim"
    why = in_words(event.reason)
    return f"failed after {took}, {tries}: {why}; the person got a notice", "bold red"
