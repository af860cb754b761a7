"""The routes of the simulated services: each request gets what the board decides for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.chat_wire import ChatWire
from failsoft.chaos.simulator.connection import RECORD, ConnectionStage, Line
from failsoft.chaos.simulator.fault_acts import strike
from failsoft.chaos.simulator.messages_call import check_messages_headers, prompt_of
from failsoft.chaos.simulator.messages_wire import MessagesWire
from failsoft.chaos.simulator.passthrough import Upstream
from failsoft.chaos.simulator.script import Board, Fate
from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    SimulatedCall,
    compose,
    prompt_tokens,
)
from failsoft.chaos.simulator.time import Clock
from failsoft.chaos.simulator.wire import SimulatedReply, WireDialect, encode, parse_body
from failsoft.faults.fault_grammar import format_fault

__all__ = ["ModelApi", "dialect_of"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MESSAGES: Final = MessagesWire()
_CHAT: Final = ChatWire()
# Under whatever base URL a service has it: /v1, /openai/v1, /openai/deployments/NAME, none.
_BASE: Final = "/{base:((?!_sim/).*/)?}"


def dialect_of(request: web.Request) -> WireDialect:
    """The path decides; for those that both APIs may have, the header of the Messages API."""
    if request.path.startswith("/v1/messages"):
        return _MESSAGES
    if request.path.endswith("/chat/completions"):
        return _CHAT
    return _MESSAGES if "anthropic-version" in request.headers else _CHAT


class ModelApi:
    """The handlers. With an ``upstream`` whatever nothing strikes is passed on to it."""

    def __init__(self, *, seed: int, board: Board, clock: Clock, upstream: Upstream | None) -> None:
        self._seed = seed
        self._upstream = upstream
        self._board = board
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The routes of a stand-in, or those of a proxy."""
        calls = [
            web.post("/v1/messages", self.call),
            web.post(_BASE + "chat/completions", self.call),
        ]
        if self._upstream is not None:
            return [*calls, web.route("*", "/{path:.*}", self._relay(self._upstream))]
        return [
            *calls,
            web.post("/v1/messages/count_tokens", self.count_tokens),
            web.get(_BASE + "models", self.models),
        ]

    async def call(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/messages`` and ``POST …/chat/completions``."""
        dialect = dialect_of(request)
        try:
            dialect.check_headers(request.headers)
            call = dialect.parse_call(parse_body(await request.read(), dialect))
        except BadCallError:
            if self._upstream is None:
                raise
            return await self._relay(self._upstream)(request)
        fate = self._decide(request, call)
        created = int(self._clock.epoch(self._clock.now()))
        answer = compose(call, seed=self._seed, created=created)
        stage = ConnectionStage(
            request, clock=self._clock, dialect=dialect, fate=fate, answer=answer
        )
        await stage.ready()
        if fate.fault is not None:
            return await strike(stage, fate.fault)
        if self._upstream is not None:
            return await self._upstream.pass_on(request, stage)
        return await stage.play()

    async def count_tokens(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/messages/count_tokens``; no fault strikes here."""
        check_messages_headers(request.headers)
        tokens = prompt_tokens(prompt_of(parse_body(await request.read(), _MESSAGES)))
        return self._line(request).whole(
            SimulatedReply(status=200, body=encode({"input_tokens": tokens}))
        )

    async def models(self, request: web.Request) -> web.StreamResponse:
        """``GET …/models``: the dialect's own and every model that was given faults."""
        dialect = dialect_of(request)
        dialect.check_headers(request.headers)
        named = (model for model in self._board.faults() if not model.endswith("*"))
        body = dialect.models_body(list(dict.fromkeys((*dialect.models, *named))))
        return self._line(request).whole(SimulatedReply(status=200, body=body))

    def _relay(self, upstream: Upstream) -> _Handler:
        """Passes on a request that has no fate of its own."""

        async def relay(request: web.Request) -> web.StreamResponse:
            return await upstream.pass_on(request, self._line(request))

        return relay

    def _line(self, request: web.Request) -> Line:
        return Line(request, clock=self._clock, dialect=dialect_of(request))

    def _decide(self, request: web.Request, call: SimulatedCall) -> Fate:
        record = request[RECORD]
        fate = self._board.decide(call.model, tokens=call.input_tokens)
        record.model, record.number, record.stream = call.model, fate.number, call.stream
        record.fault = None if fate.fault is None else format_fault(fate.fault)
        record.describe_prompt(prompt=call.prompt, question=call.question)
        return fate
