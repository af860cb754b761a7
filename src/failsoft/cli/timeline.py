"""The attempts of a request as a table with bars to scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from failsoft.cli.terminal import duration, model_of
from failsoft.cli.words import in_words
from failsoft.engine.ledger import Attempt

__all__ = ["timeline"]

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
