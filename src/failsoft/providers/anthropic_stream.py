"""Reads one reply of Anthropic's Messages API as it comes, and assembles its message.

The rules of assembly are those of the provider's own SDK, with one difference: nothing a stream can
contain makes it fail. What does not fit is left out of the message:

- an event or a delta of an unknown kind, or with a field of the wrong type, changes nothing;
- an unknown block is kept as it was started, an unknown field where it was;
- a second ``message_start`` changes nothing, content before the first one is kept;
- text for a block that never started opens a text block, so that what a person was shown is in the
  message; any other delta for such a block is dropped;
- tool input that is not JSON stays the text it is; JSON cut off is read as far as it goes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic_core import from_json

from failsoft.classify.wire_errors import (
    BadReply,
    ReplyFailed,
    Stopped,
    StreamCut,
    StreamFailed,
    WireFailure,
)
from failsoft.providers import payload
from failsoft.providers.protocol import Reply, WireEvent
from failsoft.providers.sse import ServerSentEvent, SSEReader

__all__ = ["AnthropicExchange", "MessageAssembler"]


_NOTHING: Mapping[str, Any] = {}
_SET_BY_EVERY_MESSAGE_DELTA = ("stop_reason", "stop_sequence", "stop_details")
_NOT_OF_THE_MESSAGE = frozenset({"type", "delta", "usage"})


class MessageAssembler:
    """One message as it grows.

    >>> assembler = MessageAssembler()
    >>> assembler.add("message_start", {"message": {"role": "assistant", "content": []}})
    ''
    >>> assembler.add("content_block_start", {"index": 0, "content_block": {"type": "text"}})
    ''
    >>> delta = {"type": "text_delta", "text": "Hi"}
    >>> assembler.add("content_block_delta", {"index": 0, "delta": delta})
    'Hi'
    >>> assembler.message
    {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hi'}]}

    One that no longer ``grows`` keeps the blocks it has, without what is added to them.
    """

    def __init__(self) -> None:
        self.grows = True
        self._started = False
        self._fields: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: list[_Block] = []
        self._by_index: dict[int | None, _Block] = {}

    @property
    def message(self) -> dict[str, Any]:
        """The message so far, empty before the first event. It takes time for its length."""
        if not (self._fields or self._blocks):
            return {}
        content = [block.assembled() for block in self._blocks]
        usage = {"usage": dict(self._usage)} if self._usage else _NOTHING
        return {**self._fields, "content": content, **usage}

    @property
    def stop_reason(self) -> object:
        """The message's own, whatever it is; ``None`` where it has none yet."""
        return self._fields.get("stop_reason")

    def add(self, kind: str, data: Mapping[str, Any]) -> str:
        """Take in one event of type ``kind``; the text it adds to the message's text blocks."""
        match kind:
            case "content_block_delta":
                delta = _object(data, "delta")
                return self._extend(_index(data), delta) if self.grows else _text(delta)
            case "content_block_start" if self.grows:
                return self._open(_index(data), _object(data, "content_block"))
            case "message_start":
                return self._start(_object(data, "message"))
            case "message":  # a whole one, from an upstream that does not stream
                return self._start(data)
            case "message_delta":
                self._conclude(data)
        return ""

    def _start(self, message: Mapping[str, Any]) -> str:
        if self._started:
            return ""
        self._started = True
        self._fields = {**message, **self._fields}
        self._usage = {**_object(message, "usage"), **self._usage}
        content = message.get("content")
        blocks = content if isinstance(content, list) else ()
        return "".join(
            self._open(i, block) for i, block in enumerate(blocks) if isinstance(block, dict)
        )

    def _open(self, index: int | None, fields: Mapping[str, Any]) -> str:
        block = self._by_index[index] = _Block(fields)
        self._blocks.append(block)
        if block.type == "fallback" and (model := _object(fields, "to").get("model")):
            self._fields["model"] = model  # the model that took over in the middle of the answer
        text = fields.get("text")
        return text if block.type == "text" and isinstance(text, str) else ""

    def _extend(self, index: int | None, delta: Mapping[str, Any]) -> str:
        if index not in self._by_index and delta.get("type") == "text_delta":
            self._open(index, {"type": "text", "text": ""})
        block = self._by_index.get(index)
        return block.extend(delta) if block else ""

    def _conclude(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        if isinstance(delta, dict):
            self._fields |= dict.fromkeys(_SET_BY_EVERY_MESSAGE_DELTA) | _given(delta)
        self._fields |= _given({k: v for k, v in data.items() if k not in _NOT_OF_THE_MESSAGE})
        self._usage |= _given(_object(data, "usage"))  # totals so far, not increments


class _Block:
    """One content block. Its pieces are joined when the message is asked for, not one by one."""

    __slots__ = ("_citations", "_fields", "_input", "_pieces", "type")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.type = fields.get("type")
        self._fields = dict(fields)
        self._pieces: list[str] = []
        self._input: list[str] = []
        self._citations: list[Any] = []

    def extend(self, delta: Mapping[str, Any]) -> str:
        """Take in one delta; the text it adds, where this is a text block."""
        match delta.get("type"), self.type:
            case "text_delta", "text":
                return _append(self._pieces, delta.get("text"))
            case "thinking_delta", "thinking":
                _append(self._pieces, delta.get("thinking"))
            case "input_json_delta", str(kind) if kind.endswith("tool_use"):
                _append(self._input, delta.get("partial_json"))
            case "citations_delta", "text":
                self._citations.append(delta.get("citation"))
            case "signature_delta", "thinking":
                self._fields["signature"] = delta.get("signature")
            case "compaction_delta", "compaction":
                self._fields["content"] = delta.get("content")
                self._fields["encrypted_content"] = delta.get("encrypted_content")
        return ""

    def assembled(self) -> dict[str, Any]:
        fields = dict(self._fields)
        if self._pieces:
            name = str(self.type)  # the field that grows has the name of the block's type
            start = fields.get(name)
            fields[name] = (start if isinstance(start, str) else "") + _join(self._pieces)
        if self._input:
            fields["input"] = _tool_input(_join(self._input))
        if self._citations:
            first = fields.get("citations")
            fields["citations"] = (first if isinstance(first, list) else []) + self._citations
        return fields


def _text(delta: Mapping[str, Any]) -> str:
    text = delta.get("text")
    return text if isinstance(text, str) else ""


def _append(pieces: list[str], piece: Any) -> str:
    if not isinstance(piece, str) or not piece:
        return ""
    pieces.append(piece)
    return piece


def _join(pieces: list[str]) -> str:
    pieces[:] = ["".join(pieces)]
    return pieces[0]


def _tool_input(text: str) -> Any:
    try:
        return from_json(text, allow_partial=True, allow_inf_nan=False)
    except ValueError:
        return text


def _index(data: Mapping[str, Any]) -> int | None:
    index = data.get("index")
    return index if type(index) is int else None


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else _NOTHING


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


_ERROR_BODY_LIMIT = 64 * 1024  # bytes; real error bodies have a few hundred
_ERROR_BODY_SECONDS = 1.0  # how long an error that is already known waits for its words
_LINGER_SECONDS = 0.05  # how long a body may take to end after its last event
_READ_ERRORS = (aiohttp.ClientError, OSError)
_STOPPED = ("refusal", "model_context_window_exceeded")
_CONTENT = frozenset({"content_block_delta", "message"})
_PLAIN = ServerSentEvent("message", "")
_PING = WireEvent("ping", {"type": "ping"}, content=False, text="")


class AnthropicExchange:
    """An :class:`~failsoft.providers.protocol.Exchange`, to be entered once.

    Entering raises the transport's own exception, :class:`ReplyFailed` for an error (by its status
    or, under a 200, by its body) and :class:`BadReply` for a 200 that is neither a stream nor a
    message. Iterating raises :class:`StreamFailed`, :class:`StreamCut`, :class:`Stopped`, and
    :class:`BadReply` while not one event has come; what came before is always given out first.
    A plain message, from an upstream that does not stream, comes as one event ``message``. An
    answer of more than ``max_bytes`` is a :class:`BadReply` too; of one that ``passes`` no more is
    kept.
    """

    def __init__(
        self, send: Callable[[], Awaitable[Reply]], *, max_bytes: int, passes: bool = False
    ) -> None:
        self._send = send
        self._left = self._max_bytes = max_bytes
        self._passes = passes
        self._waiting: deque[ServerSentEvent] = deque()
        self._assembler = MessageAssembler()
        self._plain: dict[str, Any] = {}  # the message of an upstream that does not stream
        self._begun = False  # an event was given out
        self._complete = False  # the terminal event was given out
        self._over = False
        self._failed: Exception | None = None
        self.headers: Mapping[str, str] = {}

    @property
    def request_id(self) -> str | None:
        """The ``request-id`` header."""
        return self.headers.get("request-id")

    @property
    def message(self) -> dict[str, Any]:
        """The message put together from the events given out so far."""
        return self._assembler.message

    async def __aenter__(self) -> Self:
        self._reply = await self._send()
        self.headers = self._reply.headers
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
        content_type = self.headers.get("content-type", "")
        if "text/event-stream" in content_type.lower():
            self._reader = SSEReader()
        else:
            await self._read_plain(content_type)

    async def _read_error_body(self) -> bytes:
        body = bytearray()
        # The status is known, and says enough where the body breaks off or never comes.
        with suppress(TimeoutError, *_READ_ERRORS):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                while len(body) < _ERROR_BODY_LIMIT and (chunk := await self._reply.read()):
                    body += chunk
        return bytes(body[:_ERROR_BODY_LIMIT])

    async def _read_plain(self, content_type: str) -> None:
        body = await self._read_body()
        text = body.decode(errors="replace")
        message = _parsed(text)
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "error":
            raise self._failure(ReplyFailed, "an error in the body of a 200", message)
        if kind != "message":
            what = f"neither a stream nor a message came (content-type {content_type!r})"
            raise self._failure(BadReply, what, body[:_ERROR_BODY_LIMIT])
        self._plain = message
        self._waiting.append(_PLAIN)
        self._complete = True

    async def _read_body(self) -> bytes:
        body = bytearray()
        try:
            while chunk := await self._reply.read():
                body += self._within(chunk)
                if self._too_large:
                    raise self._failure(BadReply, self._too_large_detail)
        except _READ_ERRORS as error:
            raise self._failure(StreamCut, f"the message was cut short: {error!r}") from error
        return bytes(body)

    async def _receive(self) -> Exception | None:
        if self._too_large:
            return self._failure(BadReply, self._too_large_detail)
        try:
            chunk = await self._reply.read()
        except _READ_ERRORS as error:
            return self._failure(StreamCut, f"the connection broke: {error!r}", cause=error)
        if not chunk:
            return self._broken("the stream ended before message_stop")
        try:
            self._waiting.extend(self._reader.feed(self._within(chunk)))
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

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        if sse.name == "ping":  # its data means nothing
            self._begun = True
            return _PING
        data = self._plain if sse is _PLAIN else _parsed(sse.data)
        kind = data.get("type") if isinstance(data, dict) else None
        kind = kind if isinstance(kind, str) else sse.name
        if kind == "error" or sse.name == "error":
            body = data if isinstance(data, dict) else sse.data
            failed = self._failure(StreamFailed, "an error event came in the stream", body)
            self._end_with(failed)
            return None
        if not isinstance(data, dict):
            broken = f"the data of an event is no JSON object: {sse.data[:200]!r}"
            self._end_with(self._broken(broken))
            return None
        self._begun = True
        if kind == "message_stop":
            self._complete = True
            self._waiting.clear()
        text = self._assembler.add(kind, data)
        return WireEvent(kind, data, _is_content(kind, data), text)

    async def _finish(self) -> Exception | None:
        if not self._reply.ended:
            await self._linger()
        reason = self._assembler.stop_reason
        if reason in _STOPPED:
            return self._failure(Stopped, f"stop_reason is {reason}", self.message)
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


def _parsed(text: str) -> Any:
    try:
        return payload.parse(text)
    except ValueError:
        return None


def _is_content(kind: str, data: Mapping[str, Any]) -> bool:
    if kind != "content_block_start":
        return kind in _CONTENT
    block = data.get("content_block")
    if not isinstance(block, dict):
        return False
    name = block.get("type")
    return name not in ("text", "thinking") or bool(block.get(name))
