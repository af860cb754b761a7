"""``failsoft demo``: the whole service with a provider that goes wrong on purpose."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

import typer

from failsoft.cli.demo_redis import with_redis
from failsoft.cli.narrator import Narrator
from failsoft.cli.options import ConfigFile, has_key, load
from failsoft.cli.terminal import output
from failsoft.cli.trouble import ends_when_told, listening_on
from failsoft.cli.welcome import Hint, breaking, show_welcome, trying
from failsoft.config.settings import Settings
from failsoft.engine.client import Failsoft

if TYPE_CHECKING:
    from failsoft.server.playground import Demo

__all__ = ["SEED", "TROUBLE", "demo"]

# Chosen for what comes first: an answer at once, then one that takes a second, slower model.
SEED = 104
TROUBLE = (
    "*=529@0.2",
    "*=latency;first_content_ms=uniform(200,500);between_events_ms=25",
    "claude-sonnet-5-5=latency;first_content_ms=4000;between_events_ms=25",
)
_SIMULATED = """\
Answers from AI models that fail soft. No API key is set, so a simulator plays \
the models, and things go wrong on purpose: one call in five is turned away \
(529, overloaded), and claude-sonnet-5-5 takes 4 seconds to its first word. \
Who asks notices a short wait at most."""
_REAL = """\
Answers from AI models that fail soft. An API key is set, so this talks to the \
real service, and every question costs what it costs there. Unset the key \
(ANTHROPIC_API_KEY) to watch failures that are made on purpose."""
# Questions still open get this long after Ctrl-C: nobody's work hangs on a demo.
_DRAIN_SECONDS = 1.0


def demo(
    *,
    port: Annotated[
        int | None, typer.Option(help="Listen there; 8787 unless set, 0 takes a free one.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Serve, with failures made on purpose where no API key is set, and tell what happens."""
    loaded = load(config, server__port=port)
    settings = loaded.settings
    if loaded.origins["env"] == "default":
        settings = replace(settings, env="dev")
    drain = min(_DRAIN_SECONDS, settings.server.drain_seconds)
    settings = replace(settings, server=replace(settings.server, drain_seconds=drain))
    with ends_when_told():
        asyncio.run(_real(settings) if has_key(settings) else _simulated(settings))


async def _real(settings: Settings) -> None:
    await _serve(settings, about=_REAL)


async def _simulated(settings: Settings) -> None:
    from failsoft.chaos.simulator import Simulator  # noqa: PLC0415 - slow to load
    from failsoft.server.playground import Demo  # noqa: PLC0415 - slow to load

    _reach_directly("127.0.0.1")
    async with Simulator(seed=SEED, faults=TROUBLE) as simulator, with_redis(settings) as redis:
        provider = replace(settings.anthropic, base_url=simulator.url, api_key="simulated")
        rules = settings.rules_dir or str(files("failsoft.degrade") / "starter")
        settings = replace(redis.settings, anthropic=provider, rules_dir=rules)
        demo = Demo(
            simulator=simulator.url,
            cut_redis=redis.cut,
            no_redis=redis.problem,
            log_on_disk=redis.own,
        )
        await _serve(settings, about=_SIMULATED, more=breaking(simulator.url), demo=demo)


def _reach_directly(host: str) -> None:
    """Take a host of this machine from those that a proxy is asked for: none could reach it."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = f"{known},{host}" if known else host


async def _serve(
    settings: Settings,
    *,
    about: str,
    more: tuple[Hint, ...] = (),
    demo: Demo | None = None,
) -> None:
    from uvicorn import Config, Server  # noqa: PLC0415 - slow to load

    from failsoft.server import create_app  # noqa: PLC0415 - slow to load
    from failsoft.server.guard import check_exposure  # noqa: PLC0415 - slow to load

    check_exposure(settings)
    console = output()
    app = create_app(Failsoft(settings, on_event=Narrator(console)), demo=demo)
    _quiet_logs()
    with _listen(settings.server.host, settings.server.port) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        show_welcome(console, about=about, hints=(*trying(url), *more))
        config = Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=int(_DRAIN_SECONDS),
        )
        _end_with_the_window()
        await Server(config).serve([listener])


def _end_with_the_window() -> None:
    """Let a window that is closed end the demo as Ctrl-C does: what it has started ends with it."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, signal.raise_signal, signal.SIGTERM)


def _listen(host: str, port: int) -> socket.socket:
    with listening_on(host, port):
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )


def _quiet_logs() -> None:
    """What happens is told in words; of the logs only what must not be missed is left."""
    from failsoft.server.log import JsonFormatter  # noqa: PLC0415 - slow to load

    handler = logging.StreamHandler()
    handler.setLevel(logging.ERROR)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
