"""An answer as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from failsoft.engine.answer import (
    Answer,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamText,
)
from failsoft.engine.client import Failsoft
from failsoft.engine.streams import AnswerStream
from failsoft.server.attend import CutError, GoneError, attend, hang_up
from failsoft.server.drain import Drain
from failsoft.server.failures import draining, unexpected
from failsoft.server.render import Render
from failsoft.server.wire import json_bytes

__all__ = ["WRITE_SECONDS", "EventStream"]

_log = logging.getLogger(__name__)

# A reader that takes nothing for so long has gone without saying so: the heartbeat of the server's
# default settings fits in twice, and a phone that changes its network is back within it.
WRITE_SECONDS = 30.0

_HEARTBEAT: Final = b": still here\n\n"
_DONE: Final = b"data: [DONE]\n\n"


class EventStream(Response):
    """Sends the events of one answer. ``held`` is given back when the last byte has gone."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AnswerStream,
        *,
        ai: Failsoft,
        render: Render,
        drain: Drain,
        locale: str,
        held: AbstractContextManager[Any],
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self.headers["x-request-id"] = events.request_id
        self._events = events
        self._ai = ai
        self._render = render
        self._drain = drain
        self._locale = locale
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, until the reader leaves, or until the process must end."""
        del scope
        with self._held, suppress(GoneError):
            writer = _Writer(send)
            await writer.begin(self.status_code, self.raw_headers)
            beat = _beat(writer, self._ai.settings.server.heartbeat_seconds)
            try:
                await attend(
                    self._tell(writer), drain=self._drain, leaving=(hang_up(receive), beat)
                )
            except CutError:
                await self._end(writer, draining)

    async def _tell(self, writer: _Writer) -> None:
        async with self._events as events:
            try:
                async for event in events:
                    await self._write(writer, event)
            except GoneError:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, a person is waiting for an end
                fields = {"request_id": events.request_id}
                _log.exception("stream_failed", extra={"fields": fields})
        await self._end(writer, unexpected)

    async def _write(self, writer: _Writer, event: StreamEvent) -> None:
        data = self._render.event(event)
        if isinstance(event, StreamDone | StreamInterrupted | StreamError):
            await writer.end(data)
        elif isinstance(event, StreamText):
            await writer.text(data, len(event.text))
        else:
            await writer.write(data)

    async def _end(self, writer: _Writer, failure: Callable[..., Answer]) -> None:
        """End what has no end yet, by what the reader has been given so far."""
        if writer.ended:
            return
        shown = writer.tokens > 0
        answer = failure(
            self._ai, request_id=self._events.request_id, locale=self._locale, shown=shown
        )
        event = (
            StreamInterrupted(answer, writer.tokens, writer.chars) if shown else StreamError(answer)
        )
        await writer.end(self._render.event(event))


class _Writer:
    """Numbers events and writes each whole; knows what the reader has been given."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._number = 0
        self.ended = False
        self.tokens = 0
        self.chars = 0
        self.wrote_at = 0.0

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._put({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: dict[str, Any]) -> None:
        await self._body(self._numbered(data), more=True)

    async def text(self, data: dict[str, Any], chars: int) -> None:
        await self.write(data)
        self.tokens += 1
        self.chars += chars

    async def end(self, data: dict[str, Any]) -> None:
        """Write the last event and the end in one piece: there is never one without the other."""
        self.ended = True
        await self._body(self._numbered(data) + _DONE, more=False)

    async def heartbeat(self) -> None:
        await self._body(_HEARTBEAT, more=True)

    def _numbered(self, data: dict[str, Any]) -> bytes:
        self._number += 1
        return b"id: %d\ndata: %b\n\n" % (self._number, json_bytes(data))

    async def _body(self, body: bytes, *, more: bool) -> None:
        await self._put({"type": "http.response.body", "body": body, "more_body": more})

    async def _put(self, message: dict[str, Any]) -> None:
        """Send one message. Waits while the reader is behind: that is what slows the provider."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send(message)
        except OSError as error:  # TimeoutError is one
            raise GoneError from error
        self.wrote_at = asyncio.get_running_loop().time()


async def _beat(writer: _Writer, seconds: float) -> None:
    """Break long silences; return where that fails, for the reader has gone."""
    loop = asyncio.get_running_loop()
    with suppress(GoneError):
        while not writer.ended:
            silent = loop.time() - writer.wrote_at
            if silent < seconds:
                await asyncio.sleep(seconds - silent)
            else:
                await writer.heartbeat()
        await loop.create_future()  # the last write is under way, and not this one's to judge
