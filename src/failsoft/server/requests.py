"""``/api/requests/{id}``: how far a request is, its stream, and its end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import LogDownError, Record, RecordExpiredError, RequestState
from failsoft.server.auth import Identity, caller_of
from failsoft.server.problem import Problem
from failsoft.server.render import JsonResponse, Render, Shown, notice_body, shown_in
from failsoft.server.responses import Replies, cut_off
from failsoft.server.run import Run
from failsoft.server.runs import RunRegistry
from failsoft.server.schema import RequestBody
from failsoft.server.service import Service
from failsoft.server.validation import last_event_id
from failsoft.telemetry.publisher import rfc3339

__all__ = ["Requests", "request_body"]


def request_body(
    record: Record, shown: Shown, *, ai: Failsoft, render: Render, now: float
) -> RequestBody:
    """The body; ``shown`` is what its last run that gave out text has shown, ``now`` epoch time."""
    body: dict[str, Any] = {
        "request_id": record.id,
        "status": record.state,
        "created_at": rfc3339(record.created_at),
        "updated_at": rfc3339(record.updated_at),
        "stream": record.stream,
        "last_event_id": record.last_id,
        "text": shown.text,
        "actions": [],
    }
    if not record.state.ended:
        body |= _under_way(record, shown, ai, now)
    elif record.state is RequestState.DONE:
        body |= _done(record)
    else:
        body |= _failed(record, shown, ai, render)
    return cast("RequestBody", body)


def _under_way(record: Record, shown: Shown, ai: Failsoft, now: float) -> dict[str, Any]:
    body: dict[str, Any] = {"attempt": record.attempt}
    if record.retry_at is not None and record.retry_at > now:
        body["retry_in_seconds"] = math.ceil(record.retry_at - now)
    if shown.status is None:
        words = ai.notices.notice("duplicate_joined", reference=record.id, locale=record.locale)
        body["notice"] = notice_body(words)
    else:
        body["notice"] = shown.status["notice"]
    return body


def _done(record: Record) -> dict[str, Any]:
    if record.body is None:
        return {}
    result = json.loads(record.body)
    return {"text": result["response"], "result": result, "actions": result["suggested_actions"]}


def _failed(record: Record, shown: Shown, ai: Failsoft, render: Render) -> dict[str, Any]:
    if record.body is None:  # its process was killed
        result: Any = render.body(cut_off(shown, record, ai=ai))
    else:
        result = json.loads(record.body)
    body = {
        "notice": result["error"],
        "actions": result["suggested_actions"],
        "retryable": result["retryable"],
    }
    if "retry_in_seconds" in result:
        body["retry_in_seconds"] = result["retry_in_seconds"]
    return body


class Requests:
    """The three routes. Another caller's request is not there."""

    def __init__(self, service: Service, registry: RunRegistry) -> None:
        self._service = service
        self._registry = registry
        self._replies = Replies(service, registry)

    async def show(self, request: Request, _request_id: str) -> Response:
        """How far it is."""
        wanted, caller = self._wanted(request)
        run = self._registry.run_of(wanted, caller.scope)
        return await self._read(run, self._registry.log.find(wanted, caller.scope))

    async def stream(self, request: Request, _request_id: str) -> Response:
        """Join its stream, or resume it after ``Last-Event-ID``; 204 where there is no more."""
        wanted, caller = self._wanted(request)
        after = last_event_id(request.headers)
        with ExitStack() as held:
            held.enter_context(self._service.guard.place(caller.tenant))
            held.enter_context(self._service.drain.open())
            try:
                found = await self._found(wanted, caller)
            except LogDownError as error:
                raise _unreadable() from error
            record = found.record if isinstance(found, Run) else found
            if not record.stream:
                raise Problem(
                    409,
                    "This request was asked as one whole answer, so it has no stream; "
                    f"read it at /api/requests/{record.id}.",
                )
            if isinstance(found, Record) and found.state.ended and after >= found.last_id > 0:
                return Response(status_code=204, headers={"x-request-id": record.id})
            return self._replies.stream(found, held.pop_all(), after=after)

    async def cancel(self, request: Request, _request_id: str) -> Response:
        """End it now; what has ended stays as it ended."""
        wanted, caller = self._wanted(request)
        run = self._registry.run_of(wanted, caller.scope)
        return await self._read(run, self._registry.cancel(wanted, caller.scope))

    async def _read(self, run: Run | None, reading: Awaitable[Record | None]) -> Response:
        """The status by the record; by this process's ``run`` where the log has none or is down."""
        try:
            record = await reading
            if record is not None:
                return await self._status(record)
        except LogDownError as error:
            if run is None:
                raise _unreadable() from error
        if run is None:
            raise _nothing_there()
        return self._of_run(run)

    def _wanted(self, request: Request) -> tuple[str, Identity]:
        self._registry.start()
        return request.path_params["request_id"], caller_of(request, self._service.guard)

    async def _found(self, wanted: str, caller: Identity) -> Run | Record:
        return self._registry.run_of(wanted, caller.scope) or await self._find(wanted, caller)

    async def _find(self, wanted: str, caller: Identity) -> Record:
        record = await self._registry.log.find(wanted, caller.scope)
        if record is None:
            raise _nothing_there()
        return record

    async def _status(self, record: Record) -> Response:
        if not record.stream:
            return self._told(record, Shown())
        try:
            return self._told(*await self._shown(record))
        except RecordExpiredError:
            raise _nothing_there() from None

    async def _shown(self, record: Record) -> tuple[Record, Shown]:
        """The record, consistent with what was shown: a request with text is not queued."""
        log = self._registry.log
        events = await log.events(record.id, record.run, 0)
        shown = shown_in(events.data)
        if events.record.run == record.run:
            record = events.record
        if not shown.texts and record.shown_run not in (0, record.run):
            # Nothing has replaced what an earlier run had shown.
            before = await log.events(record.id, record.shown_run, 0)
            shown.texts = shown_in(before.data).texts
        return record, shown

    def _of_run(self, run: Run) -> Response:
        shown = shown_in(b"".join(run.live.frames)) if run.record.stream else Shown()
        return self._told(run.as_recorded(time.time()), shown)

    def _told(self, record: Record, shown: Shown) -> Response:
        service = self._service
        body = request_body(record, shown, ai=service.ai, render=service.render, now=time.time())
        return JsonResponse(body, headers={"x-request-id": record.id})


def _nothing_there() -> Problem:
    return Problem(404, "There is no such request, or it is too old to be kept.")


def _unreadable() -> Problem:
    return Problem(
        503,
        "The record of requests cannot be read right now. The request itself is not touched by "
        "this: look again in a few seconds.",
        headers={"retry-after": "5"},
    )
