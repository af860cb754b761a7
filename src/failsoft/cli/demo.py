"""``failsoft demo``: the whole service with a provider that goes wrong on purpose.

The demo starts a Redis where one is installed, and can cut it off. ``failsoft cluster``
runs several servers on one machine, to be restarted and killed under load.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from failsoft.cli.narration import Narrator
from failsoft.cli.options import ConfigFile, has_key, key_variables, load
from failsoft.cli.terminal import CommandError, ends_when_told, listening_on, output, printable
from failsoft.config.services import service_of
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.engine.blocking import Portal
from failsoft.engine.client import Failsoft

if TYPE_CHECKING:
    from failsoft.server.playground import Demo

__all__ = [
    "CHAIN",
    "SEED",
    "TROUBLE",
    "DemoRedis",
    "Hint",
    "breaking",
    "cluster",
    "demo",
    "show_welcome",
    "simulated",
    "trying",
    "whole_providers",
    "with_redis",
]


T = TypeVar("T")
Cut = Callable[[bool], Awaitable[None]]

_NO_CLIENT = "There is no Redis here to cut off: pip install 'failsoft[redis]' and start again."
_NO_SERVER = "There is no Redis here to cut off: {why}, and start again."
_ANOTHER_KIND = "This Redis cannot be cut off from here: only an address with redis:// can."
_REDIS_PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRedis:
    """Settings that lead to it. ``cut`` is ``None`` where it cannot be cut off: see ``problem``.

    One of the demo's ``own`` keeps nothing when the demo ends.
    """

    settings: Settings
    cut: Cut | None = None
    problem: str = ""
    own: bool = False


@asynccontextmanager
async def with_redis(settings: Settings) -> AsyncIterator[DemoRedis]:
    """The Redis of the settings, else one that is started here, behind a proxy on this machine."""
    async with AsyncExitStack() as stack:
        url, problem, own = settings.redis_url, "", settings.redis_url is None
        if own:
            url, problem = await _own(stack)
        parts = None if url is None else _parts(url)
        if parts is None:
            yield DemoRedis(settings=settings, problem=problem or _ANOTHER_KIND)
            return
        target = f"http://{parts.hostname}:{parts.port or _REDIS_PORT}"
        proxied, cut = await stack.enter_async_context(_proxy(target))
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{proxied}" if user else proxied
        led = replace(settings, redis_url=parts._replace(netloc=netloc).geturl())
        yield DemoRedis(settings=led, cut=cut, own=own)


async def _own(stack: AsyncExitStack) -> tuple[str | None, str]:
    """The address of one that ends with ``stack``, or why there is none."""
    from failsoft.chaos.programs import ClusterError, Program, start_redis  # noqa: PLC0415 - slow

    if find_spec("redis") is None:
        return None, _NO_CLIENT
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="failsoft-demo-"))
    redis = Program("redis-server", Path(folder))
    stack.push_async_callback(redis.stop)
    try:
        return await start_redis(redis), ""
    except ClusterError as error:
        return None, _NO_SERVER.format(why=error)


def _parts(url: str) -> SplitResult | None:
    """An address that a proxy can stand in for: others are encrypted, or no address at all."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "redis" and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


@asynccontextmanager
async def _proxy(target: str) -> AsyncIterator[tuple[str, Cut]]:
    """Where a proxy listens, and what cuts it.

    In a loop of its own: a Redis has 100 ms to reply, and is not to seem slow where the demo's own
    loop is busy.
    """
    from failsoft.chaos.tcp_proxy import FaultProxy  # noqa: PLC0415 - slow to load

    portal, proxy = Portal("demo's Redis"), FaultProxy(target)

    async def there(work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.to_thread(portal.wait, work)

    async def cut(off: bool) -> None:  # noqa: FBT001 - as it is told
        await there(proxy.set("refuse" if off else "pass"))

    await there(proxy.__aenter__())
    try:
        yield proxy.url.removeprefix("http://"), cut
    finally:
        await asyncio.to_thread(portal.close, partial(proxy.__aexit__, None, None, None))


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


def breaking(simulator: str, providers: Mapping[str, str] | None = None) -> tuple[Hint, ...]:
    """Ways to make it worse for a minute, in the simulator at that address.

    ``providers`` has a name for all models of each provider, as ``gpt-*``.
    """

    def put(model: str, fault: str) -> str:
        body = shlex.quote(f'{{"faults": ["{fault};for=60s"]}}')
        return f"curl -s -X PUT '{simulator}/_sim/models/{model}' -d {body}"

    whole = tuple(
        (f"Take the whole of {provider} down for a minute:", put(models, "529"))
        for provider, models in (providers or {}).items()
    )
    return (
        ("Take the best model down for a minute:", put("claude-opus-5-5", "529")),
        *whole,
        ("Take all of them down for a minute:", put("*", "529")),
        ("Cut every answer short for a minute:", put("*", "cut;after=8")),
    )


CHAIN = ("anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5", "openai/gpt-5.5")
"""That of the demo, where the settings have none: models of two providers."""

# Chosen for what comes first: an answer at once, then one that takes a second, slower model.
SEED = 104
TROUBLE = (
    "*=529@0.2",
    "*=latency;first_content_ms=uniform(200,500);between_events_ms=25",
    "claude-sonnet-5-5=latency;first_content_ms=4000;between_events_ms=25",
)
_SIMULATED = """\
Answers from AI models that fail soft. No API key is set, so a simulator plays \
the models of {providers}, and things go wrong on purpose: one call in \
five is turned away (529, overloaded), and claude-sonnet-5-5 takes 4 seconds to \
its first word. Who asks notices a short wait at most."""
_REAL = """\
Answers from AI models that fail soft. An API key is set, so this talks to the \
real service, and every question costs what it costs there. Unset {keys} \
to watch failures that are made on purpose."""
# Questions still open get this long after Ctrl-C: no work depends on a demo.
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
    if loaded.origins["chain"] == "default" and not has_key(settings):
        settings = replace(settings, chain=CHAIN)
    drain = min(_DRAIN_SECONDS, settings.server.drain_seconds)
    settings = replace(settings, server=replace(settings.server, drain_seconds=drain))
    with ends_when_told():
        asyncio.run(_demo(settings))


async def _demo(settings: Settings) -> None:
    _end_with_the_window()
    if has_key(settings):
        await _serve(settings, about=_REAL.format(keys=" and ".join(key_variables(settings))))
    else:
        await _simulated(settings)


async def _simulated(settings: Settings) -> None:
    from failsoft.chaos.simulator import Simulator  # noqa: PLC0415 - slow to load
    from failsoft.server.playground import Demo  # noqa: PLC0415 - slow to load

    _reach_directly("127.0.0.1", "localhost")
    async with Simulator(seed=SEED, faults=TROUBLE) as simulator, with_redis(settings) as redis:
        rules = settings.rules_dir or str(files("failsoft.ladder.rules") / "starter")
        settings = replace(simulated(redis.settings, simulator.url), rules_dir=rules)
        providers = whole_providers(settings.chain)
        demo = Demo(
            simulator=simulator.url,
            faults=simulator.faults,
            providers=providers,
            cut_redis=redis.cut,
            no_redis=redis.problem,
            log_on_disk=redis.own,
        )
        about = _SIMULATED.format(providers=" and ".join(_providers(settings.chain)))
        await _serve(settings, about=about, more=breaking(simulator.url, providers), demo=demo)


def simulated(settings: Settings, simulator: str) -> Settings:
    """Lead every provider of the chain to the simulator at that address."""
    # By another name of this machine: what refuses connections on one host takes all that are
    # there with it, as it should.
    other = simulator.replace("127.0.0.1", "localhost")
    named = dict(settings.providers)
    for name in _providers(settings.chain):
        chat = service_of(name, settings).preset.protocol == "openai"
        named[name] = replace(
            named.get(name) or NamedProviderSettings(),
            base_url=f"{other}/v1" if chat else simulator,
            api_key="simulated",
        )
    named.pop("anthropic", None)
    anthropic = replace(settings.anthropic, base_url=simulator, api_key="simulated")
    return replace(settings, anthropic=anthropic, providers=named)


def whole_providers(chain: Sequence[str]) -> dict[str, str]:
    """For each provider of the chain a name for all its models and no others, as ``claude-*``.

    A provider whose models have no such name is left out.
    """
    parts = [target.partition("/") for target in chain]
    names: dict[str, str] = {}
    for provider in _providers(chain):
        own = [model for name, _, model in parts if name == provider]
        beginning = "".join(own[0].partition("-")[:2])
        if own == [model for *_, model in parts if model.startswith(beginning)]:
            names[provider] = f"{beginning}*"
    return names


def _providers(chain: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(target.partition("/")[0] for target in chain))


def _reach_directly(*hosts: str) -> None:
    """Take hosts of this machine from those that a proxy is asked for: none could reach them."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = ",".join(filter(None, (known, *hosts)))


async def _serve(
    settings: Settings,
    *,
    about: str,
    more: tuple[Hint, ...] = (),
    demo: Demo | None = None,
) -> None:
    from uvicorn import Server  # noqa: PLC0415 - slow to load

    from failsoft.server import create_app  # noqa: PLC0415 - slow to load
    from failsoft.server.auth import check_exposure  # noqa: PLC0415 - slow to load
    from failsoft.server.serve import uvicorn_config  # noqa: PLC0415 - slow to load

    check_exposure(settings)
    console = output()
    app = create_app(Failsoft(settings, on_event=Narrator(console)), demo=demo)
    _quiet_logs()
    with _listen(settings.server.host, settings.server.port) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        show_welcome(console, about=about, hints=(*trying(url), *more))
        config = uvicorn_config(app, log_config=None, timeout_graceful_shutdown=int(_DRAIN_SECONDS))
        await Server(config).serve([listener])


def _end_with_the_window() -> None:
    """Let a closed window end the demo as Ctrl-C does, with all that it has started.

    From the beginning: the signal may come before the server listens to any.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, signal.raise_signal, signal.SIGTERM)


def _listen(host: str, port: int) -> socket.socket:
    with listening_on(host, port):
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )


def _quiet_logs() -> None:
    """Narrate what happens; of the logs only what must not be missed is left."""
    from failsoft.server.logging import JsonFormatter  # noqa: PLC0415 - slow to load

    handler = logging.StreamHandler()
    handler.setLevel(logging.ERROR)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)


_ABOUT = """\
Three servers behind HAProxy, with one Redis. A simulator plays the models, and \
things go wrong on purpose: one call in five is turned away (529, overloaded), \
and claude-sonnet-5-5 takes 4 seconds to its first word. Restart or kill what \
you like: who asks notices a short wait at most."""


def cluster(
    *,
    port: Annotated[int, typer.Option(help="Listen there; 0 takes a free one.")] = 8787,
    haproxy: Annotated[
        Path, typer.Option(metavar="FILE", help="HAProxy's file; this one comes with the source.")
    ] = Path("deploy/haproxy.cfg"),
) -> None:
    """Run three servers with a Redis behind HAProxy, and a simulator in place of the models."""
    if not haproxy.is_file():
        remedy = "run 'make run-cluster' where the source is, or name one with --haproxy"
        raise CommandError(f"{haproxy}: there is no such file: {remedy}")
    with ends_when_told(), listening_on("127.0.0.1", port):
        listener = socket.create_server(("127.0.0.1", port))
    with ends_when_told(), listener, suppress(asyncio.CancelledError):
        asyncio.run(_run(listener, haproxy.resolve()))


async def _run(listener: socket.socket, haproxy: Path) -> None:
    from failsoft.chaos.cluster import open_cluster  # noqa: PLC0415 - slow to load
    from failsoft.chaos.simulator import Simulator  # noqa: PLC0415 - slow to load

    _ends_once()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        Simulator(seed=SEED, faults=TROUBLE) as simulator,
        open_cluster(
            upstream=simulator.url, listener=listener, haproxy=haproxy, tell=_tell
        ) as cluster,
    ):
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cluster.ask_restart)
        hints = (*_trying(url), *breaking(simulator.url))
        show_welcome(output(), about=_ABOUT, hints=hints)
        await cluster.serve()


def _ends_once() -> None:
    """Let Ctrl-C, SIGTERM and a closed window end it, without hurting the end itself."""
    task = asyncio.current_task()

    def end() -> None:
        if task is not None and not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)


def _trying(url: str) -> tuple[Hint, ...]:
    return (
        *trying(url),
        ("Which server answers, x-served-by:", f"curl -sI {url}/readyz"),
        ("Restart the servers, one after the other:", f"kill -USR1 {os.getpid()}"),
    )


def _tell(line: str) -> None:
    clock = time.strftime("%H:%M:%S")
    output().print(Text.assemble((f"{clock} ", "dim"), printable(line)), soft_wrap=True)
