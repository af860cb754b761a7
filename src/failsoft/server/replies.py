"""Replies from a run of this process, from another's, and from what has ended."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive

from failsoft.engine.answer import StreamError
from failsoft.requests.live import LiveReader
from failsoft.requests.records import Record, RequestState
from failsoft.server.attend import attend
from failsoft.server.desk import Desk
from failsoft.server.failures import unexpected
from failsoft.server.frames import Shown, frame_of
from failsoft.server.problem import Problem
from failsoft.server.render import AnswerResponse
from failsoft.server.replay import LogReader, awaited, cut_off
from failsoft.server.run import Result, Run
from failsoft.server.service import Service
from failsoft.server.stream import WRITE_SECONDS, EventStream, Source

__all__ = ["Replies"]

_log = logging.getLogger(__name__)

REPLAYED: Final = "idempotent-replayed"

_NOT_KEPT: Final = (
    "Answers are not kept here (store_text is off), so it can be read only where it was asked "
    "first. To ask again, use a new Idempotency-Key."
)


class Replies:
    """Makes them for whoever asked first, for whoever asked again and for whoever came back."""

    def __init__(self, service: Service, desk: Desk) -> None:
        self._service = service
        self._desk = desk

    async def whole(self, found: Run | Record, receive: Receive, *, replayed: bool) -> Response:
        """One JSON answer; raises :class:`~failsoft.server.attend.GoneError` where nobody waits."""
        if isinstance(found, Run):
            result = await self._result(found, receive)
            record = found.record
        else:
            self._check_kept(found)
            waiting = awaited(found, log=self._desk.log, drain=self._service.drain)
            record = await attend(waiting, receive)
            result = self._kept(record)
        if result is None:
            answer = cut_off(Shown(), record, ai=self._service.ai)
            return AnswerResponse(answer, self._service.render)
        return _ResultResponse(result, record.id, replayed=replayed)

    def stream(
        self,
        found: Run | Record,
        held: AbstractContextManager[Any],
        *,
        after: int = 0,
        replayed: bool = False,
    ) -> Response:
        """The events with ids above ``after``; ``held`` is given back with the last byte."""
        record = found.record if isinstance(found, Run) else found
        server = self._service.ai.settings.server
        reply = EventStream(
            self._source(found, after),
            request_id=record.id,
            heartbeat_seconds=server.heartbeat_seconds,
            limit_seconds=self._service.ai.settings.answer_timeout_seconds + WRITE_SECONDS,
            held=held,
            broken=lambda error: self._broken(record, error),
        )
        if replayed:
            reply.headers[REPLAYED] = "true"
        return reply

    def _source(self, found: Run | Record, after: int) -> Source:
        if isinstance(found, Run):
            return found.live.reader(after)
        self._check_kept(found)
        service = self._service
        return LogReader(
            found,
            after,
            ai=service.ai,
            log=self._desk.log,
            drain=service.drain,
            render=service.render,
        )

    async def _result(self, run: Run, receive: Receive) -> Result | None:
        reader = run.live.reader()
        try:
            await attend(_to_the_end(reader), receive)
        finally:
            reader.close()
        return run.result

    def _kept(self, record: Record) -> Result | None:
        """``None`` where it has not ended, or was killed before its end."""
        if not record.state.ended or record.body is None or record.status is None:
            return None
        return Result(record.status, record.body, None)

    def _check_kept(self, record: Record) -> None:
        """Raise a :class:`~failsoft.server.problem.Problem` (409) where no text is kept here."""
        if self._service.ai.settings.store_text:
            return
        if not record.state.ended:
            raise Problem(409, f"This request is being answered already. {_NOT_KEPT}")
        if record.state is RequestState.DONE or record.stream:
            raise Problem(409, f"This request has ended. {_NOT_KEPT}")

    def _broken(self, record: Record, error: Exception) -> bytes:
        fields = {"request_id": record.id}
        _log.error("stream_failed", exc_info=error, extra={"fields": fields})
        answer = unexpected(self._service.ai, request_id=record.id, locale=record.locale)
        return frame_of(record.last_id + 1, self._service.render.event(StreamError(answer)))


class _ResultResponse(Response):
    """A whole answer, the same bytes for everybody who asks for it."""

    media_type = "application/json"

    def __init__(self, result: Result, request_id: str, *, replayed: bool) -> None:
        super().__init__(result.body, result.status)
        self.headers["x-request-id"] = request_id
        self.headers["cache-control"] = "no-store"
        if result.retry_after is not None:
            self.headers["retry-after"] = str(result.retry_after)
        if replayed:
            self.headers[REPLAYED] = "true"


async def _to_the_end(reader: LiveReader) -> None:
    while not (await reader.read()).ended:
        pass
