"""Ends the process on SIGTERM or SIGINT.

Nothing new is accepted, what is open gets time to finish, and the rest is marked interrupted.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from uvicorn import Server

from failsoft.config.settings import ServerSettings

__all__ = ["LAST_WORDS_SECONDS", "Drain", "drained_by_signals"]

# What a request that is cut off has to say its last event: one write to a socket that takes it.
LAST_WORDS_SECONDS = 2.0


class Drain:
    """Counts open requests.

    :attr:`leaving` says that the process ends soon, :attr:`began` that new requests are refused,
    :attr:`cutting` that open ones end now.
    """

    def __init__(self) -> None:
        self.leaving = False
        self.began = False
        self.cutting = False
        self._hurried = asyncio.Event()
        self._open: set[asyncio.Future[None]] = set()
        self._emptied = asyncio.Event()
        self._told: list[Callable[[], None]] = []

    def on_begin(self, tell: Callable[[], None]) -> None:
        """Have it called when the end begins: for work without a waiter."""
        self._told.append(tell)

    @contextmanager
    def open(self) -> Iterator[asyncio.Future[None]]:
        """Count one request; the future is done when the request must end now."""
        cut = asyncio.get_running_loop().create_future()
        self._open.add(cut)
        try:
            yield cut
        finally:
            self._open.discard(cut)
            if not self._open:
                self._emptied.set()

    async def announce(self, seconds: float) -> None:
        """Be unready and take requests all the same: until balancers see it, they send more."""
        self.leaving = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()

    async def run(self, seconds: float) -> None:
        """Refuse new requests, give the open ones ``seconds``, cut the rest, see them out."""
        self.leaving = self.began = True
        for tell in self._told:
            tell()
        await self._empty_within(seconds)
        self.cut()
        await self._empty_within(LAST_WORDS_SECONDS)

    def cut(self) -> None:
        """End every open request now."""
        self.cutting = True
        self._hurried.set()
        for cut in tuple(self._open):
            if not cut.done():
                cut.set_result(None)

    async def _empty_within(self, seconds: float) -> None:
        self._emptied.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._open:
                    await self._emptied.wait()
                    self._emptied.clear()


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def drained_by_signals(drain: Drain, settings: ServerSettings) -> Iterator[None]:
    """Under uvicorn, let SIGTERM and SIGINT drain before the server stops.

    Left to itself uvicorn closes its door first, so that no client gets a reply, and later
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
