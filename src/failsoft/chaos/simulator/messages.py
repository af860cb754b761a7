"""The Messages API: each request gets what the board decides for it.

A fate is played as an answer, as a canned reply sent whole in place of an answer, or as a reply
that goes wrong on its way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.connection import RECORD, ConnectionStage, Line
from failsoft.chaos.simulator.passthrough import Upstream
from failsoft.chaos.simulator.script import EVERY_MODEL, Board, Fate
from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    SimulatedCall,
    check_headers,
    compose,
    parse_body,
    parse_call,
    prompt_tokens,
)
from failsoft.chaos.simulator.time import Clock
from failsoft.chaos.simulator.wire import (
    Frame,
    SimulatedReply,
    encode,
    error_frame,
    error_of_type,
    error_reply,
    frames,
    message_body,
    models_body,
    ping,
)
from failsoft.faults.fault_grammar import SimulatedFault, format_fault

__all__ = ["ACTS", "Act", "MessagesApi", "canned_reply"]


Act = Callable[[ConnectionStage, SimulatedFault], Awaitable[web.StreamResponse]]

_FILTERED: Final = "Output blocked by content filtering policy"
_REFUSAL: Final = {"type": "refusal", "category": "general_harms", "explanation": None}


async def _hang(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    return await stage.silence()


async def _reset(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    return await stage.abort()


async def _cut(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return await stage.abort()


async def _close(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return stage.close()


async def _eof(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return stage.incomplete()


async def _stall(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return await stage.silence()


async def _ping_only(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    if not stage.stream:
        return await stage.silence()
    response = await stage.play_part(0)
    return await stage.beat(response, ping(), every=fault.every_ms / 1000)


async def _empty(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    await stage.open()
    return stage.incomplete()


async def _cut_json(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    response = await stage.play_part(0)
    if stage.stream:
        data = next(event.data for event in frames(stage.answer) if event.content)
        await stage.write(response, [Frame(data[: len(data) // 2] + b"\n\n")])
    return stage.incomplete()


async def _slow_drip(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    whole = b"".join(event.data for event in frames(stage.answer))
    data = whole if stage.stream else encode(message_body(stage.answer))
    return await stage.drip(data, size=fault.bytes, every=fault.every_ms / 1000)


async def _error_event(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await _fail_midway(stage, fault, fault.type)


async def _content_filter(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await _fail_midway(stage, fault, "invalid_request_error", _FILTERED)


async def _fail_midway(
    stage: ConnectionStage, fault: SimulatedFault, type_: str, message: str | None = None
) -> web.StreamResponse:
    request_id = stage.record.request_id
    if not stage.stream or fault.after is None:
        return stage.whole(error_of_type(type_, request_id, message=message))
    response = await stage.play_part(fault.after)
    await stage.write(response, [error_frame(type_, request_id, message=message)])
    return response


async def _refusal(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await stage.play(
        stage.answer.stopped("refusal", after=fault.after or 0, details=_REFUSAL)
    )


async def _pause(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await stage.play(stage.answer.stopped("pause_turn", after=fault.after or 0))


async def _window(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    reason = "model_context_window_exceeded"
    return await stage.play(stage.answer.stopped(reason, after=fault.after or 0))


ACTS: Final[Mapping[str, Act]] = {
    "close": _close,
    "content_filter": _content_filter,
    "cut": _cut,
    "cut_json": _cut_json,
    "empty": _empty,
    "eof": _eof,
    "error_event": _error_event,
    "hang": _hang,
    "pause_turn": _pause,
    "ping_only": _ping_only,
    "refusal": _refusal,
    "reset": _reset,
    "slow_drip": _slow_drip,
    "stall": _stall,
    "window_exceeded": _window,
}


_WINDOW: Final = 200_000

_Told = tuple[int, str | None, str | None]
"""Status, ``error.message`` and ``details.error_code``; None for the status's usual message."""

_NO_CREDIT: Final = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
    "upgrade or purchase credits."
)
_SPENT: Final = (
    "This request would exceed your account's monthly spend limit. Please try again later."
)
_TOLD: Final[Mapping[str, _Told]] = {
    "bad_key": (401, None, None),
    "credit_balance": (400, _NO_CREDIT, None),
    "rate_limit": (429, None, None),
    "spend_limit": (429, _SPENT, "enforced_spend_limit_reached"),
    "suspended": (400, "This organization has been disabled.", "organization_on_hold"),
}


def canned_reply(
    fault: SimulatedFault, *, model: str, tokens: int, request_id: str, epoch: float
) -> SimulatedReply:
    """The whole reply that this fault is: every fault is one that has no act of its own."""
    if fault.name.isdecimal():
        return _status(fault, request_id)
    if fault.name == "html":
        return _page(fault.status)
    if fault.name == "error_body":
        return SimulatedReply(status=200, body=error_of_type(fault.type, request_id).body)
    status, message, code = _told(fault, model=model, tokens=tokens, epoch=epoch)
    return error_reply(status, request_id, message=message, code=code)


def _told(fault: SimulatedFault, *, model: str, tokens: int, epoch: float) -> _Told:
    match fault.name:
        case "context_limit":
            limit = fault.tokens or _WINDOW
            told = f"prompt is too long: {max(tokens, limit + 1)} tokens > {limit} maximum"
            return 400, told, None
        case "unknown_model":
            return 404, f"model: {model}", None
        case "usage_limit":
            told = f"You have reached your specified API usage limits. {_back_on(epoch)}"
            return 400, told, None
        case name:
            return _TOLD[name]


def _status(fault: SimulatedFault, request_id: str) -> SimulatedReply:
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    return error_reply(
        int(fault.name), request_id, message=fault.message, code=fault.code, headers=headers
    )


def _page(status: int) -> SimulatedReply:
    title = f"{status} Bad Gateway" if status == 502 else str(status)  # noqa: PLR2004 - HTTP status
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    return SimulatedReply(status=status, body=page.encode(), content_type="text/html")


def _back_on(epoch: float) -> str:
    now = datetime.fromtimestamp(epoch, UTC)
    year, month = divmod(now.year * 12 + now.month, 12)
    return f"You will regain access on {year}-{month + 1:02}-01 at 00:00 UTC."


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
        stage = ConnectionStage(
            request, clock=self._clock, fate=fate, answer=answer, stream=call.stream
        )
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
        return Line(request, clock=self._clock).whole(SimulatedReply(status=200, body=encode(body)))

    async def models(self, request: web.Request) -> web.StreamResponse:
        """``GET /v1/models``: the default chain and every model that was given faults."""
        check_headers(request.headers)
        named = (model for model in self._board.faults() if model != EVERY_MODEL)
        body = models_body(list(dict.fromkeys((*_MODELS, *named))))
        return Line(request, clock=self._clock).whole(SimulatedReply(status=200, body=encode(body)))

    def _decide(self, request: web.Request, call: SimulatedCall) -> Fate:
        record = request[RECORD]
        fate = self._board.decide(call.model, tokens=call.input_tokens)
        record.model, record.number, record.stream = call.model, fate.number, call.stream
        record.fault = None if fate.fault is None else format_fault(fate.fault)
        record.describe_prompt(prompt=call.prompt, question=call.question)
        return fate

    async def _strike(
        self, stage: ConnectionStage, fault: SimulatedFault, call: SimulatedCall
    ) -> web.StreamResponse:
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
