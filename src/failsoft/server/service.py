"""What all routes of one application share, its engine, its limits and its end.

On SIGTERM or SIGINT nothing new is accepted, what is open gets time to finish, and the rest is
marked interrupted. Requests that fail on purpose run on engines of their own, for callers who may
ask for them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Self

from starlette.requests import Request
from uvicorn import Server

from failsoft.config.settings import ServerSettings
from failsoft.engine.client import Failsoft
from failsoft.faults import Simulation, TokenError, check_token
from failsoft.server.auth import Guard, is_loopback
from failsoft.server.body import BodyBytes
from failsoft.server.problem import Problem
from failsoft.server.render import Render
from failsoft.telemetry.events import Event

__all__ = ["LAST_WORDS_SECONDS", "Drain", "Service", "Simulations", "drained_by_signals"]


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
        """Have it called when the end begins, or has begun: for work without a waiter."""
        self._told.append(tell)
        if self.began:
            tell()

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


_log = logging.getLogger(__name__)

_HEADER, _TOKEN_HEADER = "X-Simulate-Error", "X-Simulate-Token"

# The breakers of the simulation used longest ago are forgotten first.
_MOST_ENGINES = 64


class Simulations:
    """Further engines, one for each simulation, made when it is first asked for.

    One breaker for all simulations would have an ``auth_error``, tried once, answer every later
    request whatever it asks for. The engines own nothing that is open, and end with ``ai``.
    """

    def __init__(self, ai: Failsoft) -> None:
        self._ai = ai
        self._subscribers: list[Callable[[Event], None]] = []
        self._engines: OrderedDict[Simulation, Failsoft] = OrderedDict()

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Hear the events of simulated requests, of engines that are made from now on."""
        self._subscribers.append(subscriber)

    def announce(self) -> None:
        """Say in the log that a whole deployment fails on purpose, if it does."""
        if said := self._ai.settings.simulate_error:
            fields = {
                "simulated": True,
                "simulate_error": said,
                "problem": "every request here may fail on purpose; unset FAILSOFT_SIMULATE_ERROR",
            }
            _log.warning("simulating", extra={"fields": fields})

    def asked(self, request: Request, tenant: str | None) -> Simulation | None:
        """The failures this request asks for, ``None`` where it does not ask for anything.

        Raises :class:`~failsoft.server.problem.Problem`: 403 for who has no right to it, 400 for
        words that cannot be read.
        """
        said = request.headers.getlist(_HEADER)
        if not said:
            return None
        self._authorize(request, tenant)
        if len(said) > 1:
            raise Problem.of_field(400, _HEADER, "must be sent once")
        try:
            return self._ai.simulation(said[0])
        except ValueError as error:
            raise Problem.of_field(400, _HEADER, str(error)) from error

    def engine(self, simulation: Simulation) -> Failsoft:
        """The engine for requests that are to fail so."""
        engine = self._engines.pop(simulation, None)
        if engine is None:
            engine = self._ai.failing(simulation, subscribers=self._subscribers)
        self._engines[simulation] = engine
        if len(self._engines) > _MOST_ENGINES:
            self._engines.popitem(last=False)
        return engine

    def _authorize(self, request: Request, tenant: str | None) -> None:
        settings = self._ai.settings
        if settings.env == "dev" and request.client and is_loopback(request.client.host):
            return
        if settings.simulate_token_key is None:
            raise _forbidden(
                "failures are made on purpose only where FAILSOFT_ENV is dev and the caller is on "
                "the same machine, or for who has a token; this service takes none, as "
                "FAILSOFT_SIMULATE_TOKEN_KEY is not set. Leave the header out to be answered"
            )
        token = request.headers.get(_TOKEN_HEADER, "").strip()
        if not token:
            raise _forbidden(
                f"needs a token in {_TOKEN_HEADER}: `failsoft token` prints one where the key of "
                "this service is. Leave the header out to be answered"
            )
        try:
            key, now = settings.simulate_token_key, time.time()
            check_token(token, key, now=now, tenant=tenant or "")
        except TokenError as error:
            raise _forbidden(
                f"the token in {_TOKEN_HEADER} {error}: `failsoft token` prints a new one where "
                "the key of this service is, with --tenant where it has API keys"
            ) from error


def _forbidden(problem: str) -> Problem:
    return Problem.of_field(403, _HEADER, problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The engine and its simulated copies, who may call, what is held, whether the process ends."""

    ai: Failsoft
    guard: Guard
    render: Render
    simulations: Simulations
    bodies: BodyBytes
    drain: Drain = field(default_factory=Drain)

    @classmethod
    def of(cls, ai: Failsoft) -> Self:
        """The parts as the settings of ``ai`` want them."""
        return cls(
            ai=ai,
            guard=Guard(ai.settings),
            render=Render(ai.settings),
            simulations=Simulations(ai),
            bodies=BodyBytes(ai.settings.server.bodies_limit_bytes),
        )
