"""Sends server-sent events to one reader while it is connected; formats and parses their frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from failsoft.providers.sse import SSEReader
from failsoft.request_log.broadcast import Frames
from failsoft.server.disconnect import hang_up
from failsoft.server.render import json_bytes

__all__ = [
    "DONE",
    "HEARTBEAT",
    "WRITE_SECONDS",
    "EventStream",
    "Shown",
    "Source",
    "frame_of",
    "shown_in",
    "text_frame",
]


DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": still here\n\n"


def frame_of(number: int, data: dict[str, Any]) -> bytes:
    """One event."""
    return b"id: %d\ndata: %b\n\n" % (number, json_bytes(data))


def text_frame(number: int, text: str) -> bytes:
    """The event of some text, as :func:`frame_of` would make it: there is none more often."""
    return b'id: %d\ndata: {"type":"text","text":%b}\n\n' % (number, json_bytes(text))


@dataclass(slots=True)
class Shown:
    """What a reader of some frames has seen: its text events, and the last status."""

    texts: list[str] = field(default_factory=list)
    status: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(self.texts)


def shown_in(frames: bytes) -> Shown:
    """Read back what ``frames``, of one run, showed."""
    shown = Shown()
    for event in SSEReader(limit=len(frames)).feed(frames):
        data = json.loads(event.data)
        if data["type"] == "text":
            shown.texts.append(data["text"])
            shown.status = None  # what was said of the wait is over
        elif data["type"] == "status":
            shown.status = data
    return shown


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
