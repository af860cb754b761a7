"""What a fault does to a reply, in whatever dialect it is written.

A fate is played as an answer, as a canned reply sent whole in place of an answer, or as a reply
that goes wrong on its way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from failsoft.chaos.simulator.connection import ConnectionStage
from failsoft.chaos.simulator.wire import Frame, SimulatedFailure, SimulatedReply, error_reply
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = ["strike"]


Act = Callable[[ConnectionStage, SimulatedFault], Awaitable[web.StreamResponse]]


async def strike(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    """Answer the request as the fault has it."""
    if act := _ACTS.get(fault.name):
        return await act(stage, fault)
    return stage.whole(_canned_reply(stage, fault))


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
    response = await stage.play_part(fault.after or 0)
    await _terminate(stage, response, fault)
    return stage.incomplete()


async def _stall(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    await stage.play_part(fault.after or 0)
    return await stage.silence()


async def _ping_only(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    if not stage.stream:
        return await stage.silence()
    response = await stage.play_part(0)
    return await stage.beat(response, stage.dialect.ping(), every=fault.every_ms / 1000)


async def _empty(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    await stage.open()
    return stage.incomplete()


async def _cut_json(stage: ConnectionStage, _fault: SimulatedFault) -> web.StreamResponse:
    response = await stage.play_part(0)
    if stage.stream:
        frames = stage.dialect.frames(stage.answer)
        data = next(event.data for event in frames if event.content)
        await stage.write(response, [Frame(data[: len(data) // 2] + b"\n\n")])
    return stage.incomplete()


async def _slow_drip(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    if stage.stream:
        data = b"".join(event.data for event in stage.dialect.frames(stage.answer))
    else:
        data = stage.dialect.message_body(stage.answer)
    return await stage.drip(data, size=fault.bytes, every=fault.every_ms / 1000)


async def _error_event(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await _fail_midway(stage, fault, stage.dialect.of_type(fault.type))


async def _content_filter(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    if fault.after is not None and stage.dialect.filter_ends_answers:
        return await stage.play(stage.answer.stopped("content_filter", after=fault.after))
    return await _fail_midway(stage, fault, stage.failure_of(fault))


async def _fail_midway(
    stage: ConnectionStage, fault: SimulatedFault, failure: SimulatedFailure
) -> web.StreamResponse:
    request_id = stage.record.request_id
    if not stage.stream or fault.after is None:
        return stage.whole(error_reply(stage.dialect, failure, request_id))
    response = await stage.play_part(fault.after)
    await stage.write(response, [stage.dialect.error_event(failure, request_id)])
    await _terminate(stage, response, fault)
    return response


async def _terminate(
    stage: ConnectionStage, response: web.StreamResponse, fault: SimulatedFault
) -> None:
    if stage.stream and fault.done == "yes":
        await stage.write(response, stage.dialect.terminator())


async def _refusal(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await stage.play(stage.answer.stopped("refusal", after=fault.after or 0))


async def _pause(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    return await stage.play(stage.answer.stopped("pause_turn", after=fault.after or 0))


async def _window(stage: ConnectionStage, fault: SimulatedFault) -> web.StreamResponse:
    reason: Final = "model_context_window_exceeded"
    return await stage.play(stage.answer.stopped(reason, after=fault.after or 0))


_ACTS: Final[Mapping[str, Act]] = {
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


def _canned_reply(stage: ConnectionStage, fault: SimulatedFault) -> SimulatedReply:
    """The whole reply that this fault is: every fault is one that has no act of its own."""
    dialect, request_id = stage.dialect, stage.record.request_id
    if fault.name == "html":
        return _page(fault.status)
    if fault.name == "error_body":
        return replace(error_reply(dialect, dialect.of_type(fault.type), request_id), status=200)
    if not fault.name.isdecimal():
        return error_reply(dialect, stage.failure_of(fault), request_id)
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    failure = dialect.of_status(int(fault.name), message=fault.message, code=fault.code)
    return error_reply(dialect, failure, request_id, headers=headers)


def _page(status: int) -> SimulatedReply:
    title = f"{status} Bad Gateway" if status == 502 else str(status)  # noqa: PLR2004 - HTTP status
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    return SimulatedReply(status=status, body=page.encode(), content_type="text/html")
