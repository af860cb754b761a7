"""What all routes of one application share.

Requests that fail on purpose run on engines of their own, for callers who may ask for them.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from starlette.requests import Request

from failsoft.engine.client import Failsoft
from failsoft.faults import Simulation, TokenError, check_token
from failsoft.server.auth import Guard, is_loopback
from failsoft.server.body import BodyBytes
from failsoft.server.problem import Problem
from failsoft.server.render import Render
from failsoft.server.shutdown import Drain
from failsoft.telemetry.events import Event
from failsoft.telemetry.history import Stories

__all__ = ["Service", "Simulations"]


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

    def engine(self, simulation: Simulation | None) -> Failsoft:
        """The engine for requests that are to fail so."""
        if simulation is None:
            return self._ai
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
    stories: Stories
    bodies: BodyBytes
    drain: Drain = field(default_factory=Drain)

    @classmethod
    def of(cls, ai: Failsoft) -> Self:
        """The parts as the settings of ``ai`` want them."""
        stories, simulations = Stories(), Simulations(ai)
        ai.subscribe(stories)
        simulations.subscribe(stories)
        return cls(
            ai=ai,
            guard=Guard(ai.settings),
            render=Render(ai.settings),
            simulations=simulations,
            stories=stories,
            bodies=BodyBytes(ai.settings.server.bodies_limit_bytes),
        )
