"""Reads one reply of a provider as it comes: a stream of events, or a plain body in its place.

A reply is known by its first bytes, whatever its content-type says. What an event means is left to
the wire protocol that builds on :class:`EventExchange`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import aiohttp

from failsoft.classify.wire_errors import (
    BadReply,
    ReplyFailed,
    Stopped,
    StreamCut,
    WireFailure,
)
from failsoft.providers.anthropic_message import MessageAssembler
from failsoft.providers.payload import parsed, unwrapped
from failsoft.providers.protocol import Reply, WireEvent
from failsoft.providers.sse import ServerSentEvent, SSEReader

__all__ = ["PING", "PLAIN", "EventExchange", "FrameReader"]

PLAIN = ServerSentEvent("message", "")
"""Stands for the plain body in the place of a stream's events."""

PING = WireEvent("ping", {"type": "ping"}, content=False, text="")

_ERROR_BODY_LIMIT = 64 * 1024  # bytes; real error bodies have a few hundred
_ERROR_BODY_SECONDS = 1.0  # how long an error that is already known waits for its words
_LINGER_SECONDS = 0.05  # how long a body may take to end after its last event
_PIECE = 16 * 1024  # bytes looked at in one turn of the event loop
_SOFT_END_SECONDS = 1.0  # how long an answer that is all here waits for its terminal event
_READ_ERRORS = (aiohttp.ClientError, OSError)
_STOPPED = ("refusal", "model_context_window_exceeded")
_ID_HEADERS = ("request-id", "x-request-id", "x-amzn-requestid")
_SOFT_END = WireEvent("soft_end", {}, content=False, text="")

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:")
_NO_FIELDS = (b"{", b"[", b"<", b'"')
_OPENING_LIMIT = (
    1024  # bytes after which a reply that says nothing of itself is what it is said to be
)


def _is_stream(opening: bytes, *, announced: bool) -> bool | None:
    """Whether a body that begins so is a stream of events; ``None`` while that is open."""
    if _BOM.startswith(opening):
        return None
    text = opening.removeprefix(_BOM).lstrip()
    if len(opening) < _OPENING_LIMIT and any(field.startswith(text) for field in _FIELDS[1:]):
        return None
    return not text.startswith(_NO_FIELDS) if announced else text.startswith(_FIELDS)


class FrameReader(Protocol):
    """Turns bytes into events, however they were cut."""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that ``chunk`` completes; raises :class:`BadReply` for what is none."""
        ...


class EventExchange(ABC):
    """An :class:`~failsoft.providers.protocol.Exchange`, to be entered once.

    Entering raises the transport's own exception, :class:`ReplyFailed` for an error (by its status
    or, under a 200, by its body) and :class:`BadReply` for a 200 that is neither a stream nor a
    message. Iterating raises :class:`StreamFailed`, :class:`StreamCut`, :class:`Stopped`, and
    :class:`BadReply` while not one event has come; what came before is always yielded first.
    A plain message, from an upstream that does not stream, comes as one event ``message``. An
    answer of more than ``max_bytes`` is a :class:`BadReply` too; of one that ``passes`` no more is
    kept.
    """

    _terminal: ClassVar[str]
    """What ends a whole stream, in words."""

    def __init__(
        self, send: Callable[[], Awaitable[Reply]], *, max_bytes: int, passes: bool = False
    ) -> None:
        self._send = send
        self._left = self._max_bytes = max_bytes
        self._passes = passes
        self._pieces: deque[bytes] = deque()  # of what was read, not looked at yet
        self._waiting: deque[ServerSentEvent] = deque()
        self._assembler = MessageAssembler()
        self._plain: dict[str, Any] = {}  # the message of an upstream that does not stream
        self._opening = b""  # of a body that has not shown yet what it is
        self._reader: FrameReader | None = None
        self._announced = False  # the content-type is a stream's
        self._soft_end_at: float | None = None
        self._soft_end = False  # all but the terminal event came
        self._begun = False  # an event was yielded
        self._complete = False  # the terminal event was yielded
        self._over = False
        self._failed: Exception | None = None
        self.headers: Mapping[str, str] = {}
        self.request_id: str | None = None

    @property
    def _all_here(self) -> bool:
        """Whether nothing of the answer is missing but its terminal event."""
        return self._assembler.concluded

    @abstractmethod
    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        """What one event brings; ``None`` where that is nothing, or the end by a failure."""

    @abstractmethod
    def _is_error(self, fields: Mapping[str, Any]) -> bool:
        """Whether a body of a 200 is an error."""

    @abstractmethod
    def _message_in(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """The message in a plain body, ``None`` where there is none."""

    @property
    def _content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def message(self) -> dict[str, Any]:
        """The message put together from the events yielded so far."""
        return self._assembler.message

    async def __aenter__(self) -> Self:
        self._reply = await self._send()
        self.headers = self._reply.headers
        self.request_id = next(filter(None, map(self.headers.get, _ID_HEADERS)), None)
        try:
            await self._open()
        except BaseException:
            await self._reply.free()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._reply.free()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WireEvent:
        while not self._over:
            if self._waiting:
                event = self._take(self._waiting.popleft())
                if event is not None:
                    return event
            elif self._complete:
                self._end_with(await self._finish())
                if self._soft_end and not self._failed:
                    return _SOFT_END
            elif failed := await self._receive():
                self._end_with(failed)
        # Kept, an end that is raised holds itself by its traceback: only failures are.
        raise self._failed or StopAsyncIteration

    def _end_with(self, failed: Exception | None) -> None:
        self._over, self._failed = True, failed

    async def _open(self) -> None:
        if self._reply.status != HTTPStatus.OK:
            body = await self._read_error_body()
            raise self._failure(ReplyFailed, f"HTTP {self._reply.status}", body)
        self._announced = "text/event-stream" in self._content_type.lower()
        while not (self._announced or self._reader or self._waiting):
            if failed := await self._receive():
                raise failed

    async def _read_error_body(self) -> bytes:
        body = bytearray()
        # The status is known, and says enough where the body breaks off or never comes.
        with suppress(TimeoutError, *_READ_ERRORS):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                while len(body) < _ERROR_BODY_LIMIT and (chunk := await self._reply.read()):
                    body += chunk
        return bytes(body[:_ERROR_BODY_LIMIT])

    async def _receive(self) -> Exception | None:
        if self._too_large:
            return self._failure(BadReply, self._too_large_detail)
        try:
            chunk = await self._read()
        except _READ_ERRORS as error:
            return self._at_end(error)
        if not chunk:
            return self._at_end(None)
        if self._reader is not None:
            return self._feed(self._reader, self._within(chunk))
        return await self._begin(self._within(chunk))

    async def _read(self) -> bytes:
        """The next bytes, few enough that a flood of lines without meaning holds up no other."""
        if self._pieces:
            await asyncio.sleep(0)
            return self._pieces.popleft()
        chunk = await self._read_chunk()
        if len(chunk) <= _PIECE:
            return chunk
        self._pieces.extend(chunk[at : at + _PIECE] for at in range(0, len(chunk), _PIECE))
        return self._pieces.popleft()

    async def _read_chunk(self) -> bytes:
        """What comes next; of an answer that is all here, at most for a second, whatever it is."""
        if not self._all_here:
            return await self._reply.read()
        if self._soft_end_at is None:
            self._soft_end_at = asyncio.get_running_loop().time() + _SOFT_END_SECONDS
        async with asyncio.timeout_at(self._soft_end_at):
            return await self._reply.read()

    def _at_end(self, error: Exception | None) -> Exception | None:
        """What it means that no more comes; ``error`` is why, where that is no proper end."""
        if self._all_here:
            self._complete = self._soft_end = True
            return None
        if error is not None:
            return self._failure(StreamCut, f"the connection broke: {error!r}", cause=error)
        if self._reader is None and self._opening.strip():
            return self._take_plain(self._opening)  # too short to show what it is
        return self._broken(f"the stream ended before {self._terminal}")

    async def _begin(self, chunk: bytes) -> Exception | None:
        """Take in the first bytes, by which it is known what comes."""
        self._opening += chunk
        self._reader = self._reader_of()
        if self._reader is not None:
            return self._feed(self._reader, self._opening)
        if _is_stream(self._opening, announced=self._announced) is None:
            return None
        try:
            body = await self._read_body()
        except _READ_ERRORS as error:
            return self._failure(StreamCut, f"the message was cut short: {error!r}", cause=error)
        if self._too_large:
            return self._failure(BadReply, self._too_large_detail)
        return self._take_plain(body)

    def _reader_of(self) -> FrameReader | None:
        """The reader of a body that begins so; ``None`` where it is no stream, or that is open."""
        return SSEReader() if _is_stream(self._opening, announced=self._announced) else None

    async def _read_body(self) -> bytes:
        body = bytearray(self._opening)
        while not self._too_large and (chunk := await self._read()):
            body += self._within(chunk)
        return bytes(body)

    def _take_plain(self, body: bytes) -> Exception | None:
        value = unwrapped(parsed(body.decode(errors="replace")))
        fields = value if isinstance(value, dict) else {}
        if self._is_error(fields):
            return self._failure(ReplyFailed, "an error in the body of a 200", fields)
        message = self._message_in(fields)
        if message is None:
            what = f"neither a stream nor a message came (content-type {self._content_type!r})"
            # A message without content is no evidence of how it ended.
            said = None if fields.get("type") == "message" else body[:_ERROR_BODY_LIMIT]
            return self._failure(BadReply, what, said)
        self._plain = message
        self._waiting.append(PLAIN)
        self._complete = True
        return None

    def _feed(self, reader: FrameReader, chunk: bytes) -> Exception | None:
        try:
            self._waiting.extend(reader.feed(chunk))
        except BadReply as error:
            return self._broken(error.detail, cause=error)
        return None

    @property
    def _too_large(self) -> bool:
        return self._left < 0 and not self._passes

    @property
    def _too_large_detail(self) -> str:
        return f"the answer is larger than max_answer_bytes, {self._max_bytes}"

    def _within(self, chunk: bytes) -> bytes:
        """As much of ``chunk`` as the answer may have."""
        room = max(0, self._left)
        self._left -= len(chunk)
        if self._left >= 0:
            return chunk
        if self._passes:
            self._assembler.grows = False
            return chunk
        return chunk[:room]

    async def _finish(self) -> Exception | None:
        if not self._reply.ended:
            await self._linger()
        reason = self._assembler.stop_reason
        if reason in _STOPPED:
            return self._failure(Stopped, f"stop_reason is {reason}", self.message)
        if reason is None and not self._plain:
            return self._broken("the stream ended without a stop reason")
        return None

    async def _linger(self) -> None:
        """Wait for the end of the body: only then can the connection be used again."""
        with suppress(TimeoutError, *_READ_ERRORS):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reply.read():
                    pass

    def _broken(self, detail: str, cause: Exception | None = None) -> WireFailure:
        if self._begun:
            return self._failure(StreamCut, detail, cause=cause)
        return self._failure(BadReply, f"no event came: {detail}", cause=cause)

    def _failure(
        self,
        kind: type[WireFailure],
        detail: str,
        body: bytes | str | Mapping[str, Any] | None = None,
        cause: Exception | None = None,
    ) -> WireFailure:
        status = self._reply.status
        failure = kind(detail, status=status, headers=self.headers, body=body)
        failure.__cause__ = cause
        return failure
