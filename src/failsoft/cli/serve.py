"""``failsoft serve``: the HTTP service."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from failsoft.cli.options import ConfigFile, has_key, load
from failsoft.cli.terminal import errors
from failsoft.cli.trouble import ends_when_told, tell

__all__ = ["serve"]


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
    if not has_key(settings):
        tell("no API key: every question will fail until ANTHROPIC_API_KEY is set")
    with ends_when_told():
        run(settings, on_ready=_ready)


def _ready(url: str) -> None:
    errors().print(Text(f"failsoft: serving at {url}", "bold"), soft_wrap=True)
