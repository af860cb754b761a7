"""``failsoft demo``: the whole service with a provider that goes wrong on purpose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

import typer

from failsoft.cli.ask import has_key
from failsoft.cli.narrator import Narrator
from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import output
from failsoft.cli.welcome import Hint, breaking, show_welcome, trying
from failsoft.config.settings import Settings
from failsoft.engine.client import Failsoft

__all__ = ["demo"]

# Chosen for what comes first: an answer at once, then one that takes a second model.
_SEED = 1
_TROUBLE = (
    "*=529@0.2",
    "*=latency;first_content_ms=uniform(200,500);between_events_ms=25",
    "claude-sonnet-5-5=latency;first_content_ms=4000;between_events_ms=25",
)
_SIMULATED = """\
Answers from AI models that fail soft. No API key is set, so a simulator plays \
the models, and things go wrong on purpose: one call in five is turned away \
(529, overloaded), and claude-sonnet-5-5 takes 4 seconds to its first word. \
Nobody who asks should notice more than a short wait."""
_REAL = """\
Answers from AI models that fail soft. An API key is set, so this talks to the \
real service, and every question costs what it costs there. Unset \
ANTHROPIC_API_KEY to see failures made on purpose."""
# Open questions get this long after Ctrl-C: nobody's work hangs on a demo.
_DRAIN_SECONDS = 1.0


def demo(
    *,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, 8787 unless set; 0 takes a free one.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Serve, break things on purpose where no API key is set, and tell what happens."""
    loaded = load(config, server__port=port)
    settings = loaded.settings
    if loaded.origins["env"] == "default":
        settings = replace(settings, env="dev")
    drain = min(_DRAIN_SECONDS, settings.server.drain_seconds)
    settings = replace(settings, server=replace(settings.server, drain_seconds=drain))
    asyncio.run(_real(settings) if has_key(settings.anthropic) else _simulated(settings))


async def _real(settings: Settings) -> None:
    await _serve(settings, about=_REAL, more=())


async def _simulated(settings: Settings) -> None:
    from failsoft.chaos.simulator import Simulator  # noqa: PLC0415 - slow to load

    async with Simulator(seed=_SEED, faults=_TROUBLE) as simulator:
        provider = replace(settings.anthropic, base_url=simulator.url, api_key="simulated")
        await _serve(
            replace(settings, anthropic=provider), about=_SIMULATED, more=breaking(simulator.url)
        )


async def _serve(settings: Settings, *, about: str, more: tuple[Hint, ...]) -> None:
    import uvicorn
    from failsoft.server import create_app
    console = output()
    ai = Failsoft(settings, on_event=Narrator(console))
    config = uvicorn.Config(create_app(ai), host=settings.server.host, port=settings.server.port, log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    show_welcome(console, about=about, hints=(*trying(f"http://127.0.0.1:{settings.server.port}"), *more))
    await task
