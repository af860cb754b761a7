"""``/api/requests/{id}``: how far a request is, its stream, and its end."""

from __future__ import annotations

import time
from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import Response

from failsoft.requests.records import LogDownError, Record
from failsoft.server.caller import Caller, caller_of
from failsoft.server.desk import Desk
from failsoft.server.frames import Shown, shown_in
from failsoft.server.intent import last_event_id
from failsoft.server.problem import Problem
from failsoft.server.replies import Replies
from failsoft.server.run import Run
from failsoft.server.service import Service
from failsoft.server.status import request_body
from failsoft.server.wire import JsonResponse

__all__ = ["Requests"]


class Requests:
    """The three routes. Another caller's request is not there."""

    def __init__(self, service: Service, desk: Desk) -> None:
        self._service = service
        self._desk = desk
        self._replies = Replies(service, desk)

    async def show(self, request: Request, _request_id: str) -> Response:
        """How far it is."""
        wanted, caller = self._wanted(request)
        try:
            return await self._status(await self._find(wanted, caller))
        except LogDownError as error:
            raise _unreadable() from error

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
        try:
            record = await self._desk.cancel(wanted, caller.scope)
            if record is None:
                raise _nothing_there()
            return await self._status(record)
        except LogDownError as error:
            raise _unreadable() from error

    def _wanted(self, request: Request) -> tuple[str, Caller]:
        self._desk.start()
        return request.path_params["request_id"], caller_of(request, self._service.guard)

    async def _found(self, wanted: str, caller: Caller) -> Run | Record:
        return self._desk.run_of(wanted, caller.scope) or await self._find(wanted, caller)

    async def _find(self, wanted: str, caller: Caller) -> Record:
        record = await self._desk.log.find(wanted, caller.scope)
        if record is None:
            raise _nothing_there()
        return record

    async def _status(self, record: Record) -> Response:
        log, shown = self._desk.log, Shown()
        if record.stream:
            shown = shown_in((await log.events(record.id, record.run, 0)).data)
            if not shown.texts and record.shown_run not in (0, record.run):
                # Nothing has replaced what an earlier run had shown.
                before = await log.events(record.id, record.shown_run, 0)
                shown.texts = shown_in(before.data).texts
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
