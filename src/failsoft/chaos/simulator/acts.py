"""How each fate is played: an answer, a canned reply, or a reply that goes wrong on its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.behaviour import Fault
from failsoft.chaos.simulator.stage import Stage
from failsoft.chaos.simulator.wire import (
    Frame,
    encode,
    error_frame,
    error_of_type,
    frames,
    message_body,
    ping,
)

__all__ = ["ACTS", "Act"]

Act = Callable[[Stage, Fault], Awaitable[web.StreamResponse]]

_FILTERED: Final = "Output blocked by content filtering policy"
_REFUSAL: Final = {"type": "refusal", "category": "general_harms", "explanation": None}


async def _hang(stage: Stage, _fault: Fault) -> web.StreamResponse:
    return await stage.silence()


async def _reset(stage: Stage, _fault: Fault) -> web.StreamResponse:
    return await stage.abort()


async def _cut(stage: Stage, fault: Fault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return await stage.abort()


async def _close(stage: Stage, fault: Fault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return stage.close()


async def _eof(stage: Stage, fault: Fault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return stage.incomplete()


async def _stall(stage: Stage, fault: Fault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return await stage.silence()


async def _ping_only(stage: Stage, fault: Fault) -> web.StreamResponse:
    if not stage.stream:
        return await stage.silence()
    response = await stage.play_part(0)
    return await stage.beat(response, ping(), every=fault.every_ms / 1000)


async def _empty(stage: Stage, _fault: Fault) -> web.StreamResponse:
    await stage.open()
    return stage.incomplete()


async def _cut_json(stage: Stage, _fault: Fault) -> web.StreamResponse:
    response = await stage.play_part(0)
    if stage.stream:
        data = next(event.data for event in frames(stage.answer) if event.content)
        await stage.write(response, [Frame(data[: len(data) // 2] + b"\n\n")])
    return stage.incomplete()


async def _slow_drip(stage: Stage, fault: Fault) -> web.StreamResponse:
    whole = b"".join(event.data for event in frames(stage.answer))
    data = whole if stage.stream else encode(message_body(stage.answer))
    return await stage.drip(data, size=fault.bytes, every=fault.every_ms / 1000)


async def _error_event(stage: Stage, fault: Fault) -> web.StreamResponse:
    return await _fail_midway(stage, fault, fault.type)


async def _content_filter(stage: Stage, fault: Fault) -> web.StreamResponse:
    return await _fail_midway(stage, fault, "invalid_request_error", _FILTERED)


async def _fail_midway(
    stage: Stage, fault: Fault, type_: str, message: str | None = None
) -> web.StreamResponse:
    request_id = stage.record.request_id
    if not stage.stream or fault.after is None:
        return stage.whole(error_of_type(type_, request_id, message=message))
    response = await stage.play_part(fault.after)
    await stage.write(response, [error_frame(type_, request_id, message=message)])
    return response


async def _refusal(stage: Stage, fault: Fault) -> web.StreamResponse:
    return await stage.play(
        stage.answer.stopped("refusal", after=fault.after or 0, details=_REFUSAL)
    )


async def _window(stage: Stage, fault: Fault) -> web.StreamResponse:
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
    "ping_only": _ping_only,
    "refusal": _refusal,
    "reset": _reset,
    "slow_drip": _slow_drip,
    "stall": _stall,
    "window_exceeded": _window,
}
