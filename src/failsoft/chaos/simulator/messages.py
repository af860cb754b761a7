"""The Messages API: what a request gets is what the board decides for it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.acts import ACTS
from failsoft.chaos.simulator.answer import compose
from failsoft.chaos.simulator.behaviour import Fault
from failsoft.chaos.simulator.board import EVERY_MODEL, Board, Fate
from failsoft.chaos.simulator.call import (
    BadCallError,
    Call,
    check_headers,
    parse_body,
    parse_call,
    prompt_tokens,
)
from failsoft.chaos.simulator.canned import canned_reply
from failsoft.chaos.simulator.clock import Clock
from failsoft.chaos.simulator.faults import format_fault
from failsoft.chaos.simulator.line import RECORD, Line
from failsoft.chaos.simulator.stage import Stage
from failsoft.chaos.simulator.upstream import Upstream
from failsoft.chaos.simulator.wire import Reply, encode, models_body

__all__ = ["MessagesApi"]

_MODELS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")


class MessagesApi:
    """The handlers. With an ``upstream`` whatever nothing strikes is passed on to it."""

    def __init__(self, *, seed: int, board: Board, clock: Clock, upstream: Upstream | None) -> None:
        self._seed = seed
        self._upstream = upstream
        self._board = board
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """The routes of a stand-in, or those of a proxy."""
        messages = web.post("/v1/messages", self.messages)
        if self._upstream is not None:
            return [messages, web.route("*", "/{path:.*}", self._upstream.handle)]
        return [
            messages,
            web.post("/v1/messages/count_tokens", self.count_tokens),
            web.get("/v1/models", self.models),
        ]

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/messages``."""
        try:
            check_headers(request.headers)
            call = parse_call(parse_body(await request.read()))
        except BadCallError:
            if self._upstream is None:
                raise
            return await self._upstream.handle(request)
        fate = self._decide(request, call)
        answer = compose(call, seed=self._seed)
        stage = Stage(request, clock=self._clock, fate=fate, answer=answer, stream=call.stream)
        await stage.ready()
        if fate.fault is not None:
            return await self._strike(stage, fate.fault, call)
        if self._upstream is not None:
            return await self._upstream.pass_on(request, stage)
        return await stage.play()

    async def count_tokens(self, request: web.Request) -> web.StreamResponse:
        """``POST /v1/messages/count_tokens``; no fault strikes here."""
        check_headers(request.headers)
        body = {"input_tokens": prompt_tokens(parse_body(await request.read()))}
        return Line(request, clock=self._clock).whole(Reply(status=200, body=encode(body)))

    async def models(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/models``: the default chain and every model that was given faults."""
        check_headers(request.headers)
        named = (model for model in self._board.faults() if model != EVERY_MODEL)
        body = models_body(list(dict.fromkeys((*_MODELS, *named))))
        return Line(request, clock=self._clock).whole(Reply(status=200, body=encode(body)))

    def _decide(self, request: web.Request, call: Call) -> Fate:
        record = request[RECORD]
        fate = self._board.decide(call.model, tokens=call.input_tokens)
        record.model, record.number, record.stream = call.model, fate.number, call.stream
        record.fault = None if fate.fault is None else format_fault(fate.fault)
        record.describe_prompt(prompt=call.prompt, question=call.question)
        return fate

    async def _strike(self, stage: Stage, fault: Fault, call: Call) -> web.StreamResponse:
        if act := ACTS.get(fault.name):
            return await act(stage, fault)
        return stage.whole(
            canned_reply(
                fault,
                model=call.model,
                tokens=call.input_tokens,
                request_id=stage.record.request_id,
                epoch=self._clock.epoch(self._clock.now()),
            )
        )
