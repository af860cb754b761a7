"""The attempts of a request as a table with bars to scale."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failsoft.cli.terminal import duration, model_of
from failsoft.cli.words import in_words
from failsoft.engine.answer import Answer
from failsoft.engine.ledger import Attempt

__all__ = ["timeline"]

_MARKS, _PLAIN_MARKS = ("·", "─", "━"), (".", "-", "=")
_FIRST_ERROR_STATUS = 400
_BAR_CELLS = 24
_WIDE = 100
_COLOURS = {"success": "green", "failure": "red", "cancelled": "yellow"}


def timeline(answer: Answer, console: Console) -> Table:
    """One row an attempt; the bars are left out where ``console`` is narrow."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("target", "start", "waited", "took", "first words"):
        table.add_column(title, justify="left" if title == "target" else "right", overflow="fold")
    table.add_column("what happened", overflow="fold")
    wide = console.width >= _WIDE
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS
    if wide:
        table.add_column("{} wait {} silence {} words".format(*marks), min_width=_BAR_CELLS)
    total = max(a.started_seconds + a.duration_seconds for a in answer.attempts)
    for attempt in answer.attempts:
        bar = (_bar(attempt, total, marks),) if wide else ()
        table.add_row(*_cells(attempt), *bar)
    return table


def _cells(attempt: Attempt) -> tuple[Text, ...]:
    first = attempt.first_content_seconds
    return (
        Text(model_of(attempt.target)),
        Text(duration(attempt.started_seconds)),
        Text(duration(attempt.wait_seconds) if attempt.wait_seconds else "-"),
        Text(duration(attempt.duration_seconds)),
        Text("-" if first is None else duration(first)),
        Text(_happened(attempt), _COLOURS[attempt.outcome]),
    )


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
