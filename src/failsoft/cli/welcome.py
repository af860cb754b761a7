"""The first screen of the demo: what this is, what is going wrong in it, what to try."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

__all__ = ["Hint", "breaking", "show_welcome", "trying"]

Hint = tuple[str, str]
"""What a command shows, and the command."""

_WIDTH = 78
_QUESTION = '{"message": "What documents do I need for a home loan?"}'


def show_welcome(console: Console, *, about: str, hints: tuple[Hint, ...]) -> None:
    """Print it. The commands stand unbroken, so that they can be copied from a narrow window."""
    width = min(_WIDTH, console.width)
    console.print(Panel(about, title="failsoft", title_align="left", width=width, padding=(0, 1)))
    for shows, command in hints:
        console.print(Text(shows, "bold"))
        console.print(Text(f"  {command}", "cyan"), soft_wrap=True)
    console.print(Text("Ctrl-C stops it. What happens, as it happens:", "dim"), end="\n\n")


def trying(url: str) -> tuple[Hint, ...]:
    """Ways to ask the service at ``url``."""
    json = f"-H 'content-type: application/json' -d {shlex.quote(_QUESTION)}"
    return (
        ("In a browser, to see inside and to break it:", f"{url}/playground"),
        ("In a browser, one question:", f"{url}/"),
        ("One answer:", f"curl -s {url}/api/chat {json}"),
        ("The same while it comes:", f"curl -sN {url}/api/chat/stream {json}"),
        (
            "The same key twice is one call:",
            f"curl -s {url}/api/chat -H 'idempotency-key: my-first' {json}",
        ),
        ("How the models are:", f"curl -s {url}/api/health/ai"),
    )


def breaking(simulator: str) -> tuple[Hint, ...]:
    """Ways to make it worse for a minute, in the simulator at that address."""

    def put(model: str, fault: str) -> str:
        body = shlex.quote(f'{{"faults": ["{fault};for=60s"]}}')
        return f"curl -s -X PUT '{simulator}/_sim/models/{model}' -d {body}"

    return (
        ("Take the best model down for a minute:", put("claude-opus-5-5", "529")),
        ("Take all of them down for a minute:", put("*", "529")),
        ("Cut every answer short for a minute:", put("*", "cut;after=8")),
    )
