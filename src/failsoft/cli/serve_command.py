"""``failsoft serve``: the HTTP service; ``failsoft simulator``: a provider with faults."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from failsoft.cli.options import ConfigFile, load, tell_what_will_fail
from failsoft.cli.terminal import ends_when_told, listening_on, output, tell

__all__ = ["serve", "simulator"]


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Listen there; 127.0.0.1 unless set.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Listen there; 8787 unless set, 0 takes a free one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; 1 unless set.")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Let everybody in who reaches the address.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Serve answers over HTTP until SIGTERM or Ctrl-C. Logs are JSON lines on standard error."""
    from failsoft.server.serve import serve as run  # noqa: PLC0415 - slow to load

    settings = load(
        config,
        server__host=host,
        server__port=port,
        server__workers=workers,
        server__insecure=insecure,
    ).settings
    tell_what_will_fail(settings)
    with ends_when_told():
        run(settings, on_ready=_ready)


def _ready(url: str) -> None:
    tell(f"serving at {url}")


def simulator(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Listen there; 0 takes a free one.")
    ] = 8788,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen there.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="The same seed, the same luck.")] = 0,
    script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A time line of faults, in TOML.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=FAULT", help="Such as 'gpt-*=529@0.2'; repeatable."),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Where calls go that nothing strikes.")
    ] = None,
) -> None:
    """Stand in for the Messages and Chat Completions APIs, failures included."""
    from failsoft.chaos.simulator import serve_simulator  # noqa: PLC0415 - slow to load

    with listening_on(host, port):
        asyncio.run(
            serve_simulator(
                host=host,
                port=port,
                seed=seed,
                script=script,
                faults=fault or (),
                upstream=upstream,
                on_ready=_simulator_ready,
            )
        )


def _simulator_ready(url: str) -> None:
    lines = (
        (f"Simulator of the Messages and Chat Completions APIs on {url}\n", "bold"),
        "Use it:       ",
        f"ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=any failsoft ask 'Hello'\n",
        "In OpenAI's:  ",
        f"OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=any\n",
        "Break it:     ",
        f"""curl -X PUT '{url}/_sim/models/*' -d '{{"faults": ["529@0.5"]}}'\n""",
        "What it saw:  ",
        f"curl {url}/_sim/requests\n",
        ("Ctrl-C stops it.", "dim"),
    )
    output().print(Text.assemble(*lines), soft_wrap=True)
