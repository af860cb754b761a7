"""What happened, in a sentence an event, for whoever runs failsoft."""

from __future__ import annotations

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
    StoreChanged,
)

__all__ = ["Sentence", "sentence"]

_INSTEAD = {"cached": "a saved answer", "rule": "a prepared answer"}

Sentence = tuple[str, str]
"""What to say, and in which style."""


def sentence(event: Event) -> Sentence | None:
    """What to say of an event, ``None`` where it is not worth a line."""
    line: Sentence | None = None
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
        case StoreChanged():
            line = _store(event)
        case RequestFinished():
            line = _ended(event)
    return line


def _failed(event: AttemptFinished) -> str:
    after = f"{model_of(event.target)} failed after {duration(event.duration_seconds)}"
    return f"{after}: {in_words(event.reason)} ({event.category})"


def _breaker(event: BreakerChanged) -> Sentence:
    model = model_of(event.target)
    if event.to_state == "open":
        seconds = event.open_seconds
        known = seconds is not None and seconds != float("inf")
        out = f" for {duration(seconds)}" if seconds is not None and known else ""
        return f"breaker opened: {model} is left out{out} ({event.reason})", "bold red"
    if event.to_state == "half_open":
        return f"breaker half open: {model} is tried with one call", "magenta"
    return f"breaker closed: {model} is back", "green"


def _store(event: StoreChanged) -> Sentence:
    if event.up:
        return f"store back: {event.store}", "green"
    return f"store out of reach: {event.store}; questions go on without it", "bold red"


def _ended(event: RequestFinished) -> Sentence:
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
