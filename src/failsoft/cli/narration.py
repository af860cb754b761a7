"""What happened, in a sentence an event, for the person who runs failsoft.

The narrator prints one line an event while a demo runs; the time line shows a request's attempts as
a table with bars to scale.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failsoft.attempt import Attempt
from failsoft.cli.terminal import duration, model_of
from failsoft.telemetry.events import (
    AttemptFinished,
    Benched,
    BreakerChanged,
    Event,
    FaultInjected,
    FellBack,
    PeriodGaveWay,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    StoreChanged,
)

__all__ = ["WORDS", "Narrator", "Sentence", "in_words", "sentence", "timeline", "tries_in_words"]


WORDS = MappingProxyType(
    {
        "all_open": "every model is out at the moment",
        "authentication": "the API key was not accepted",
        "bad_call": "the request could not be built",
        "bad_reply": "its reply made no sense",
        "bad_request": "it did not accept the request",
        "billing": "the account has no credit left, or reached its limit",
        "cancelled": "the caller left",
        "conflict": "it reported a conflict",
        "connection": "it could not be reached",
        "connection_setup": "its certificate, the proxy or a redirect stands in the way",
        "content_policy": "it may not answer this content",
        "context_too_long": "the conversation is too long for it",
        "deadline": "there was no time left",
        "edge": "a page came from something in front of it",
        "empty_answer": "its answer had no text",
        "model_unavailable": "this account has no such model",
        "no_answer": "it said nothing for too long",
        "not_implemented": "it cannot do what was asked",
        "overloaded": "it is overloaded",
        "permission": "the API key may not do this",
        "rate_limited": "too many requests",
        "refusal": "it refused to answer",
        "requests": "too many requests",
        "saturated": "too many calls in flight here",
        "server_error": "it had an internal error",
        "stream_cut": "its answer broke off",
        "suspended": "the account is on hold",
        "thought_only": "its thought took all the tokens that the answer might have",
        "tokens": "too many tokens a minute",
        "too_large": "the request is too large for it",
        "unavailable": "it is not available",
        "unknown": "it failed in a way not known yet",
        "upstream": "it gave up waiting for itself",
        "wrong_address": "there is no such API at its address",
    }
)
"""For every reason a verdict can have."""


def in_words(reason: str) -> str:
    """The text for a reason; one that has none speaks for itself."""
    return WORDS.get(reason, reason.replace("_", " "))


def tries_in_words(attempts: int) -> str:
    """How many attempts a request took."""
    if not attempts:
        return "no model was called"
    return f"{attempts} attempt{'' if attempts == 1 else 's'}"


# What keeps a request from every model, and is no failure of one.
_OURS = frozenset({"saturated", "deadline"})
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
        case Benched() | PeriodGaveWay():
            line = _set_aside(event)
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


def _set_aside(event: Benched | PeriodGaveWay) -> Sentence:
    if isinstance(event, Benched):
        left = f"{model_of(event.scope)} is left alone for {duration(event.seconds)}"
        return f"{left}: {in_words(event.reason)}", "magenta"
    period = f"{duration(event.period_seconds)} are too short for {model_of(event.target)}"
    cuts = f"{event.cuts} of {event.calls} calls of a minute were cut"
    return f"{period}: {cuts}; it has the full time for {duration(event.fixed_seconds)}", "yellow"


def _store(event: StoreChanged) -> Sentence:
    if event.up:
        return f"store back: {event.store}", "green"
    return f"store out of reach: {event.store}; questions go on without it", "bold red"


def _ended(event: RequestFinished) -> Sentence:
    took = duration(event.duration_seconds)
    tries = tries_in_words(event.attempts)
    if event.outcome == "success" and event.level in _INSTEAD:
        return f"given {_INSTEAD[event.level]} after {took}, {tries}", "bold yellow"
    if event.outcome == "success":
        return f"answered in {took} by {model_of(event.target)}, {tries}", "bold green"
    if event.outcome == "cancelled":
        return f"the caller left after {took}", "dim"
    why = in_words(event.reason)
    if not event.attempts and event.reason not in _OURS:
        why = f"all were left out, the last because {why}"
        if event.back_in_seconds is not None:
            why += f"; the first may be called again {_in(event.back_in_seconds)}"
    return f"failed after {took}, {tries}: {why}; the person got a notice", "bold red"


def _in(seconds: float) -> str:
    return f"in {duration(seconds)}" if seconds else "at once"


_REFERENCE = len("req_") + 8


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
            if isinstance(event, RequestStarted):
                said += f": {event.request_id[:_REFERENCE]}"  # what `failsoft explain` takes
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            who = "" if number is None else f"#{number}"
            text = Text.assemble((f"{clock} {who:<4} ", "dim"), (said, style))
            self._console.print(text, soft_wrap=True)
        if isinstance(event, RequestFinished):
            self._numbers.pop(event.request_id, None)


_MARKS, _PLAIN_MARKS = ("·", "─", "━"), (".", "-", "=")
_FIRST_ERROR_STATUS = 400
_BAR_CELLS = 24
_HAPPENED, _BAR = "what happened", "bar"
_FIGURES = ("start", "waited", "took", "first words")
# Of the terminal, for a column to be worth its place; the others are always there.
_LEAST_WIDTHS = {"start": 80, "waited": 80, "first words": 80, _BAR: 100}
_COLOURS = {"success": "green", "failure": "red", "cancelled": "yellow"}


def timeline(attempts: Sequence[Attempt], console: Console) -> Table:
    """One row an attempt; a narrow ``console`` gets fewer columns and no bars."""
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS
    total = max(a.started_seconds + a.duration_seconds for a in attempts)
    rows = [_cells(attempt, total, marks) for attempt in attempts]
    shown = [title for title in rows[0] if console.width >= _LEAST_WIDTHS.get(title, 0)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in shown:
        header = "{} wait {} silence {} words".format(*marks) if title == _BAR else title
        side: Literal["left", "right"] = "right" if title in _FIGURES else "left"
        table.add_column(header, justify=side, no_wrap=title != _HAPPENED)
    for row in rows:
        table.add_row(*(row[title] for title in shown))
    return table


def _cells(attempt: Attempt, total: float, marks: tuple[str, str, str]) -> dict[str, Text]:
    first, waited = attempt.first_content_seconds, attempt.wait_seconds
    return {
        "target": Text(model_of(attempt.target)),
        "start": Text(duration(attempt.started_seconds)),
        "waited": Text(duration(waited) if waited else "-"),
        "took": Text(duration(attempt.duration_seconds)),
        "first words": Text("-" if first is None else duration(first)),
        _HAPPENED: Text(_happened(attempt), _COLOURS[attempt.outcome]),
        _BAR: _bar(attempt, total, marks),
    }


def _happened(attempt: Attempt) -> str:
    verdict = attempt.verdict
    if verdict is None:
        said = "answered" if attempt.outcome == "success" else "was stopped"
    else:
        failed = verdict.http_status is not None and verdict.http_status >= _FIRST_ERROR_STATUS
        status = f" ({verdict.http_status})" if failed else ""
        said = f"{in_words(verdict.reason)}{status}"
    return "; ".join((said, *attempt.changes))


def _bar(attempt: Attempt, total: float, marks: tuple[str, str, str]) -> Text:
    """Waiting, silence up to the first content, and content, to scale; at least one cell."""
    waiting, silent, loud = marks
    first = attempt.first_content_seconds
    end = attempt.started_seconds + attempt.duration_seconds
    begun = end if first is None else attempt.started_seconds + first
    times = (attempt.started_seconds - attempt.wait_seconds, attempt.started_seconds, begun, end)
    before, start, talk, stop = (round(_BAR_CELLS * time / (total or 1)) for time in times)
    start = min(start, _BAR_CELLS - 1)
    colour = _COLOURS[attempt.outcome]
    return Text.assemble(
        " " * before,
        (waiting * (start - before), "yellow"),
        (silent * (talk - start), colour),
        (loud * max(stop - talk, talk <= start), colour),
    )
