"""``failsoft ask``: one question, its answer, and what it took to get it."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.status import Status
from rich.text import Text

from failsoft.cli.options import ConfigFile, has_key, load
from failsoft.cli.outcome import show_outcome
from failsoft.cli.terminal import errors, printable
from failsoft.cli.trouble import FAILED, CommandError
from failsoft.config.settings import Settings
from failsoft.engine.answer import Answer, StreamRestart, StreamStart, StreamStatus, StreamText
from failsoft.engine.client import Failsoft
from failsoft.engine.streams import AnswerStream

__all__ = ["ask"]


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
        raise CommandError("no API key: set ANTHROPIC_API_KEY, or run 'failsoft demo' without one")
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
