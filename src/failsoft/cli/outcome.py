"""How a request went: its attempts on a time line, and the notice as a person would see it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from failsoft.cli.terminal import duration, errors, model_of, printable
from failsoft.cli.timeline import timeline
from failsoft.engine.answer import Answer
from failsoft.notices import Notice

__all__ = ["show_outcome"]

_COLOURS = {"info": "cyan", "warning": "yellow", "error": "red"}
_PANEL_WIDTH = 72
_LEAST_USD = 0.0001


def show_outcome(answer: Answer) -> None:
    """Print it all on standard error."""
    console = errors()
    console.print()
    if answer.notice is not None:
        console.print(_notice(answer, answer.notice))
        console.print()
    if answer.attempts:
        console.print(timeline(answer.attempts, console))
    console.print(_summary(answer))
    if lost := _lost(answer):
        console.print(Text(lost, "yellow"))
    if answer.verdict is not None and answer.verdict.internal_detail:
        detail = printable(answer.verdict.internal_detail)
        console.print(Text(f"for your eyes only: {detail}", "dim"))


def _notice(answer: Answer, notice: Notice) -> RenderableType:
    button = f"[ {notice.primary_action_label} ]"
    if notice.retry_countdown_seconds:
        button += f" in {notice.retry_countdown_seconds} s"
    lines = [Text(notice.body), Text(), Text(button, "bold")]
    lines += [Text(f"• {action}") for action in answer.suggested_actions]
    lines.append(Text(f"Reference: {notice.reference}", "dim"))
    return Panel(
        Group(*lines),
        title=Text(notice.title, "bold"),
        title_align="left",
        border_style=_COLOURS[notice.severity],
        width=_PANEL_WIDTH,
    )


def _lost(answer: Answer) -> str:
    """What was paid for and not used, and what of the prompt was cached at another target."""
    parts = []
    if tokens := sum(answer.wasted_tokens.values()):
        parts.append(f"paid for and not used: {tokens:,} tokens, {_price(answer.wasted_cost_usd)}")
    if answer.lost_cache_tokens:
        parts.append(f"cached prompt left behind: {answer.lost_cache_tokens:,} tokens")
    return " · ".join(parts)


def _price(dollars: float | None) -> str:
    if dollars is None:
        return "price not known"
    return f"${dollars:.4f}" if dollars >= _LEAST_USD else f"under ${_LEAST_USD}"


def _summary(answer: Answer) -> Text:
    """Level, who answered, what it took."""
    tries = f"{len(answer.attempts)} attempt{'' if len(answer.attempts) == 1 else 's'}"
    took = max((a.started_seconds + a.duration_seconds for a in answer.attempts), default=0.0)
    if answer.status == "success":
        how = f"answered by {model_of(answer.target or '')}"
    else:
        how = str(answer.verdict)
    parts = (f"level {answer.level}", how, tries, duration(took), answer.request_id)
    return Text(" · ".join(parts), "green" if answer.status == "success" else "red")
