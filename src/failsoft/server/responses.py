"""Replies as JSON or as server-sent events, from runs of any process, under way or ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from failsoft.engine.answer import Answer, StreamError, StreamInterrupted
from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import (
    Events,
    LogDownError,
    Record,
    RecordExpiredError,
    RecordRefusedError,
    RequestLog,
    RequestState,
)
from failsoft.server.body import attend, hang_up
from failsoft.server.failures import draining, unexpected
from failsoft.server.problem import Problem
from failsoft.server.render import AnswerResponse, Render, Shown, WholeReply, shown_in
from failsoft.server.run import Frames, LiveReader, Run
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Drain, Service

__all__ = [
    "DONE",
    "HEARTBEAT",
    "WRITE_SECONDS",
    "EventStream",
    "LogReader",
    "Replies",
    "Source",
    "awaited",
    "cut_off",
]


DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": still here\n\n"


# A reader that takes nothing for so long has gone without saying so: the heartbeat of the server's
# default settings fits in twice, and a phone that changes its network is back within it.
WRITE_SECONDS = 30.0


class Source(Protocol):
    """Where a reader's events come from."""

    async def read(self) -> Frames:
        """Wait for events, or to be woken."""
        ...

    def wake(self) -> None:
        """Make a waiting read return."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class EventStream(Response):
    """One reader's reply. ``held`` is given back when the last byte has gone.

    ``broken`` gives the last event where the source fails. The whole may take ``limit_seconds``.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        source: Source,
        *,
        request_id: str,
        heartbeat_seconds: float,
        limit_seconds: float,
        held: AbstractContextManager[Any],
        broken: Callable[[Exception], bytes],
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self.headers["x-request-id"] = request_id
        self._source = source
        self._heartbeat = heartbeat_seconds
        self._limit = limit_seconds
        self._held = held
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, or until the reader leaves."""
        del scope
        with self._held:
            leaving = asyncio.create_task(hang_up(receive))
            leaving.add_done_callback(lambda _: self._source.wake())
            writer = _Writer(send, self._source, heartbeat=self._heartbeat, limit=self._limit)
            try:
                await writer.write(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await self._tell(writer, leaving)
            except OSError:
                return  # the reader left
            except asyncio.CancelledError:
                if not writer.gave_up():
                    raise
            finally:
                writer.close()
                self._source.close()
                leaving.cancel()

    async def _tell(self, writer: _Writer, leaving: asyncio.Task[None]) -> None:
        while not leaving.done():
            try:
                frames = await self._source.read()
            except Exception as error:  # noqa: BLE001 - a person is waiting for an end
                frames = Frames(self._broken(error), ended=True)
            if frames.ended:
                await writer.body(frames.data + DONE, more=False)
                return
            if frames.data:
                await writer.body(frames.data)
            elif writer.silent():
                await writer.body(HEARTBEAT)


class _Writer:
    """Writes, and gives up a reader that takes nothing or that takes for ever.

    One timer a stream looks at what is under way: a timeout of its own for every write would cost
    as much as the write.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any]], Awaitable[None]],
        source: Source,
        *,
        heartbeat: float,
        limit: float,
    ) -> None:
        self._send = send
        self._source = source
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._until = self._loop.time() + limit
        self._writing_since: float | None = None
        self._wrote_at = self._loop.time()
        self._gave_up = False
        self._timer = self._loop.call_later(self._period, self._look)

    @property
    def _period(self) -> float:
        return min(self._heartbeat, WRITE_SECONDS)

    async def body(self, body: bytes, *, more: bool = True) -> None:
        """Write some of the body. Waits while the reader is behind."""
        await self.write({"type": "http.response.body", "body": body, "more_body": more})

    async def write(self, message: dict[str, Any]) -> None:
        """Send one message; raises ``OSError`` where the reader has gone."""
        self._writing_since = self._loop.time()
        await self._send(message)
        self._wrote_at = self._loop.time()
        self._writing_since = None

    def silent(self) -> bool:
        """Whether a comment is due, so that idle proxies do not close the connection."""
        return self._loop.time() - self._wrote_at >= self._heartbeat

    def gave_up(self) -> bool:
        """Whether the task was cancelled from here; it goes on then."""
        if self._gave_up and self._task is not None:
            return self._task.uncancel() == 0
        return False

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        since = self._writing_since
        stalled = since is not None and now - since >= WRITE_SECONDS
        if self._task is not None and (stalled or now >= self._until):
            self._gave_up = True
            self._task.cancel()
            return
        if since is None and now - self._wrote_at >= self._heartbeat:
            self._source.wake()
        heard_at = self._wrote_at if since is None else since
        due = heard_at + self._period
        self._timer = self._loop.call_later(max(due - now, self._period / 8), self._look)


# A reader in another process is behind by this and by what the log is: a third of a second.
_POLL_SECONDS = 0.1


class LogReader:
    """The events with ids above ``after`` of one run, as the log comes to know them."""

    def __init__(
        self,
        record: Record,
        after: int,
        *,
        ai: Failsoft,
        log: RequestLog,
        drain: Drain,
        render: Render,
    ) -> None:
        self._record = record
        self._after = after
        self._ai = ai
        self._log = log
        self._drain = drain
        self._render = render
        self._woken = asyncio.Event()
        self._given: list[bytes] = []

    async def read(self) -> Frames:
        """Return what is new; where there is nothing, after a short wait."""
        try:
            events = await self._next()
            if events.record.state.ended:
                return await self._rest(events)
            if not events.data:
                await self._log.follow(self._record.id)
        except (RecordExpiredError, RecordRefusedError):
            return Frames(self._lost(), ended=True)
        except LogDownError:
            # It comes back by itself, and the reader knows by then that we are still here.
            events = Events(b"", self._after, self._record)
        if events.data:
            self._given.append(events.data)
        if self._drain.cutting:
            return Frames(events.data + await self._closing(events.last_id + 1), ended=True)
        if not events.data:
            await self._pause()
        self._after = events.last_id
        return Frames(events.data, ended=False)

    def wake(self) -> None:
        """Make a waiting :meth:`read` return."""
        self._woken.set()

    def close(self) -> None:
        """Read no more."""

    async def _next(self) -> Events:
        events = await self._log.events(self._record.id, self._record.run, self._after)
        if events.record.run != self._record.run and not events.data:
            # It was asked for again meanwhile: go on with the run that replaces this one.
            self._record = events.record
            self._given.clear()
            events = await self._log.events(self._record.id, self._record.run, self._after)
        return events

    async def _rest(self, events: Events) -> Frames:
        """All that is left. A process that was killed had no time for a last event."""
        if events.record.body is not None:
            return Frames(events.data, ended=True)
        last = await self._closing(events.record.last_id)
        return Frames(events.data + last, ended=True)

    async def _closing(self, number: int) -> bytes:
        record, shown = self._record, Shown()
        with suppress(LogDownError, RecordExpiredError):
            frames = await self._log.events(record.id, record.run, 0)
            shown = shown_in(frames.data)
        return self._last(cut_off(shown, record, ai=self._ai), shown, number)

    def _lost(self) -> bytes:
        """The end of a stream that the log no longer has: it expired, or the store lost it."""
        record, shown = self._record, shown_in(b"".join(self._given))
        has_text = bool(shown.texts)
        answer = unexpected(self._ai, request_id=record.id, locale=record.locale, shown=has_text)
        return self._last(answer, shown, self._after + 1)

    def _last(self, answer: Answer, shown: Shown, number: int) -> bytes:
        event = (
            StreamInterrupted(answer, len(shown.texts), len(shown.text))
            if shown.texts
            else StreamError(answer)
        )
        return self._render.frame(number, event)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        self._woken.clear()


def cut_off(shown: Shown, record: Record, *, ai: Failsoft) -> Answer:
    """How a run ends whose process is no more."""
    return draining(ai, request_id=record.id, locale=record.locale, shown=bool(shown.texts))


async def awaited(record: Record, *, log: RequestLog, drain: Drain) -> Record:
    """The record once another process has ended the run, or this one cannot wait any longer."""
    while not record.state.ended and not drain.cutting:
        try:
            await log.follow(record.id)
            found = await log.find(record.id, record.scope)
            if found is None:  # it has expired
                return record
            record = found
        except RecordRefusedError:
            return record
        except LogDownError:
            pass  # it comes back by itself
        await asyncio.sleep(_POLL_SECONDS)
    return record


_log = logging.getLogger(__name__)

REPLAYED: Final = "idempotent-replayed"

_NOT_KEPT: Final = (
    "Answers are not kept here (store_text is off), so it can be read only where it was asked "
    "first. To ask again, use a new Idempotency-Key."
)


class Replies:
    """Makes them for the first request, for duplicates and for resumed streams."""

    def __init__(self, service: Service, registry: RunRegistry) -> None:
        self._service = service
        self._registry = registry

    async def whole(self, found: Run | Record, receive: Receive, *, replayed: bool) -> Response:
        """One JSON answer.

        Raises :class:`~failsoft.server.body.GoneError` if the reader has left.
        """
        if isinstance(found, Run):
            result = await self._result(found, receive)
            record = found.record
        else:
            self._check_kept(found)
            waiting = awaited(found, log=self._registry.log, drain=self._service.drain)
            record = await attend(waiting, receive)
            result = self._kept(record)
        if result is None:
            answer = cut_off(Shown(), record, ai=self._service.ai)
            result, replayed = self._service.render.result(answer), False
        reply = AnswerResponse(result, record.id)
        if replayed:
            reply.headers[REPLAYED] = "true"
        return reply

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
            log=self._registry.log,
            drain=service.drain,
            render=service.render,
        )

    async def _result(self, run: Run, receive: Receive) -> WholeReply | None:
        reader = run.live.reader()
        try:
            await attend(_to_the_end(reader), receive)
        finally:
            reader.close()
        return run.result

    def _kept(self, record: Record) -> WholeReply | None:
        """``None`` where it has not ended, or was killed before its end."""
        if not record.state.ended or record.body is None or record.status is None:
            return None
        return WholeReply(record.status, record.body, None)

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
        return self._service.render.frame(record.last_id + 1, StreamError(answer))


async def _to_the_end(reader: LiveReader) -> None:
    while not (await reader.read()).ended:
        pass
