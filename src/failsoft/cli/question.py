"""``failsoft ask``: one question, its answer, and what it took to get it.

The attempts are drawn on a time line, the notice as a person would see it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.status import Status
from rich.text import Text

from failsoft.cli.narration import timeline, tries_in_words
from failsoft.cli.options import ConfigFile, has_key, key_variables, load
from failsoft.cli.terminal import FAILED, CommandError, duration, errors, model_of, printable
from failsoft.config.settings import Settings
from failsoft.engine.answer import Answer, StreamRestart, StreamStart, StreamStatus, StreamText
from failsoft.engine.client import Failsoft
from failsoft.engine.stream import AnswerStream
from failsoft.notices import Notice

__all__ = ["ask", "show_outcome"]


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
    tries = tries_in_words(len(answer.attempts))
    took = max((a.started_seconds + a.duration_seconds for a in answer.attempts), default=0.0)
    if answer.status == "success":
        how = f"answered by {model_of(answer.target or '')}"
    else:
        how = str(answer.verdict)
    parts = (f"level {answer.level}", how, tries, duration(took), answer.request_id)
    return Text(" · ".join(parts), "green" if answer.status == "success" else "red")


def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    *,
    model: Annotated[str | None, typer.Option(help="Ask this model first, then the chain.")] = None,
    stream: Annotated[bool, typer.Option(help="Print the answer while it comes.")] = True,
    system: Annotated[str | None, typer.Option(help="The system prompt.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The longest all of it may take.")
    ] = None,
    locale: Annotated[str | None, typer.Option(help="Language of the notices.")] = None,
    config: ConfigFile = None,
) -> int:
    """Ask a model. The answer goes to standard output, how it came about to standard error."""
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise CommandError("the question is empty: write it after 'ask', or pipe it in with -")
    settings = load(config, locale=locale).settings
    if not has_key(settings):
        names = " or ".join(key_variables(settings))
        raise CommandError(f"no API key: set {names}, or run 'failsoft demo' without one")
    arguments = {"model": model, "system": system, "timeout": timeout}
    answer = asyncio.run(_ask(settings, text, stream=stream, arguments=arguments))
    show_outcome(answer)
    return 0 if answer.status == "success" else FAILED


async def _ask(settings: Settings, text: str, *, stream: bool, arguments: dict[str, Any]) -> Answer:
    async with Failsoft(settings) as ai:
        with errors().status(Text("Asking", "dim")) as status:
            if stream:
                async with ai.stream(text, **arguments) as events:
                    return await _follow(events, status)
            answer = await ai.ask(text, **arguments)
        if answer.text:
            _write(f"{answer.text}\n")
        return answer


async def _follow(events: AnswerStream, status: Status) -> Answer:
    """Print the answer while it comes; while it does not, say why."""
    async for event in events:
        match event:
            case StreamStart():
                pass
            case StreamStatus():
                status.update(Text(event.notice.title, "dim"))
            case StreamText():
                status.stop()
                _write(event.text)
            case StreamRestart():
                _write("\n\n")
            case _:
                _write("\n" if event.answer.text else "")
                return event.answer
    raise RuntimeError("a stream ended without its terminal event")


def _write(text: str) -> None:
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
