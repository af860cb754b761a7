"""What SIGTERM and SIGINT do to the service."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from uvicorn import Server

from failsoft.config.settings import ServerSettings
from failsoft.server.drain import Drain

__all__ = ["drained_by_signals"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def drained_by_signals(drain: Drain, settings: ServerSettings) -> Iterator[None]:
    """Under uvicorn, let SIGTERM and SIGINT drain before the server stops.

    Left to itself uvicorn closes its door first, so that nobody can be told anything, and later
    cancels what is still open. SIGINT comes from a person and is not announced to balancers first;
    a second one cuts at once. Under other servers nothing changes.
    """
    server = _server()
    if server is None:
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []

    async def leave(number: int) -> None:
        if number == signal.SIGTERM:
            await drain.announce(settings.announce_seconds)
        await drain.run(settings.drain_seconds)
        server.should_exit = True

    def begin(number: int) -> None:
        if not tasks:
            tasks.append(loop.create_task(leave(number)))
        elif number == signal.SIGINT:
            drain.cut()

    def heard(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin, number)

    before = {number: signal.signal(number, heard) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _server() -> Server | None:
    """The server that runs this: its workers can be reached only by the handler they installed."""
    if threading.current_thread() is not threading.main_thread():
        return None
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Server) else None
