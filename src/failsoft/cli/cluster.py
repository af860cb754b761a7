"""``failsoft cluster``: several servers on one machine, to be restarted and killed under load."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from failsoft.cli.demo import SEED, TROUBLE
from failsoft.cli.terminal import output, printable
from failsoft.cli.trouble import CommandError, ends_when_told, listening_on
from failsoft.cli.welcome import Hint, breaking, show_welcome, trying

__all__ = ["cluster"]

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
