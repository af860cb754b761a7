"""Anthropic's own SDK as the way to its API: an attempt is a call of the client it wraps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from failsoft.classify.wire_errors import BadReply, StreamFailed, WireFailure
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.event_exchange import EventExchange, FrameReader
from failsoft.providers.payload import encode
from failsoft.providers.protocol import Exchange, ProviderCall, Reply, WireEvent
from failsoft.providers.sse import ServerSentEvent, encoded

if TYPE_CHECKING:
    from anthropic import APIRequest

__all__ = ["ClientExchange", "ClientProvider", "SdkProvider", "Send", "Sender", "attempt_of"]

# What a caller of the SDK is shown of an answer besides its text.
_SHOWN = ("thinking", "partial_json")

# What the SDK wants of an event: an object, the text that a block begins with, that of a delta.
_BRINGS = {"message_start": "message", "content_block_start": "content_block"}
_GROWING = ("text", "thinking")
_TEXT_OF = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_NO_USAGE: Mapping[str, Any] = {"input_tokens": 0, "output_tokens": 0}

R = TypeVar("R", bound=Reply)

Send = Callable[["APIRequest", float | None], Awaitable[R]]
"""Makes one attempt, whose silence is over after so many seconds; raises what the SDK raises."""

Sender = Callable[[], Awaitable[Reply]]


class ClientProvider(ABC, Generic[R]):
    """The provider of one request of a wrapped client, whichever SDK that is of.

    Unlike others it is for that request alone: it keeps the replies, so that the SDK is given its
    own objects back.
    """

    shows_errors: ClassVar[bool]
    """Whether the SDK raises its own exception of every error that comes in a stream."""

    def __init__(self) -> None:
        self._replies: list[R] = []
        self.events: list[bytes] = []
        """Of the latest reply's stream: what the engine has read and the pipe has not taken yet."""

    @property
    def latest(self) -> R | None:
        """The reply to the latest attempt that had one."""
        return self._replies[-1] if self._replies else None

    def reply_with(self, failure: BaseException | None) -> R | None:
        """The reply that failed so; ``None`` where there was none, or failsoft itself failed it."""
        if not isinstance(failure, WireFailure):
            return None
        return next((one for one in self._replies if one.headers is failure.headers), None)

    def _sender(self, ask: Callable[[], Awaitable[R]], events: list[bytes]) -> Sender:
        """What sends one attempt, by ``ask``, whose stream comes as ``events``."""

        async def send() -> Reply:
            reply = await ask()
            self._replies.append(reply)
            self.events = events
            return reply

        return send

    @abstractmethod
    def exchange(self, call: ProviderCall) -> AbstractAsyncContextManager[Exchange]:
        """One attempt, by the SDK; see :mod:`failsoft.providers.protocol`."""

    async def aclose(self) -> None:
        """The client is its owner's to close."""


class SdkProvider(ClientProvider[R]):
    """The provider of one request of an Anthropic client; ``model`` is the one it names itself."""

    shows_errors = True

    def __init__(self, request: APIRequest, model: str, send: Send[R]) -> None:
        super().__init__()
        self._request = request
        self._model = model
        self._send = send

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        """One attempt, by the SDK; see :mod:`failsoft.providers.protocol`."""
        events: list[bytes] = []

        def ask() -> Awaitable[R]:
            return self._send(attempt_of(self._request, self._model, call), call.seconds)

        send = self._sender(ask, events)
        return _SdkExchange(send, events, max_bytes=call.max_bytes, passes=self._request.stream)


class ClientExchange(EventExchange):
    """An exchange whose answer goes to an SDK; to be put before the one of a wire protocol.

    Whatever the SDK's caller is shown counts as text: nothing of it may come twice. It is a
    :class:`BadReply` where the SDK, which asked for one form of a reply, is given another. Of a
    stream, the SDK gets what was read here as ``events``.
    """

    def __init__(
        self,
        send: Sender,
        events: list[bytes],
        *,
        max_bytes: int,
        passes: bool,
    ) -> None:
        super().__init__(send, max_bytes=max_bytes, passes=passes)
        self._events = events

    async def __anext__(self) -> WireEvent:
        event = await super().__anext__()
        if event.content and not event.text:
            return event._replace(text=_shown(event.data))
        return event

    def _feed(self, reader: FrameReader, chunk: bytes) -> Exception | None:
        if self._passes:
            return super()._feed(reader, chunk)
        return self._failure(BadReply, "a stream of events came in place of a message", chunk)

    def _take_plain(self, body: bytes) -> Exception | None:
        if failed := super()._take_plain(body):
            return failed
        if self._passes:
            return self._failure(BadReply, "a message came in place of a stream of events")
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return self._failure(BadReply, "the message is not UTF-8", cause=error)
        return None


class _SdkExchange(ClientExchange, AnthropicExchange):
    """An exchange of the Messages API.

    The events are named by their type for the SDK: it skips an event without a name, and raises for
    one that is no JSON or has no place in a message. Where it would raise for a field, it gets the
    event as it was understood here.
    """

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        event = super()._take(sse)
        if event is not None:
            data = self._readable(event)
            if data is not None:
                text = sse.data if data is event.data else encode(data).decode()
                self._events.append(encoded(sse.name or event.type, text))
        elif isinstance(self._failed, StreamFailed):
            self._events.append(encoded("error", sse.data))
        return event

    def _read_event(self, kind: str, data: Mapping[str, Any]) -> WireEvent | None:
        part = _BRINGS.get(kind)
        if part is not None and not isinstance(data.get(part), dict):
            problem = f"{kind} has no {part}"
        elif kind == "content_block_stop" or self._assembler.has_place_for(kind, data):
            return super()._read_event(kind, data)
        else:
            problem = f"{kind} came before the start of its message or block"
        self._begun = True
        self._end_with(self._broken(problem))
        return None

    def _readable(self, event: WireEvent) -> Mapping[str, Any] | None:
        """What the SDK can add to its message of ``event``; ``None`` where that is nothing."""
        match event.type:
            case "message_start":
                return _readable_start(event.data)
            case "content_block_start":
                return _readable_block(event.data)
            case "content_block_delta":
                return event.data if _is_readable(event.data.get("delta")) else None
            case "content_block_stop":
                return event.data if self._assembler.has_place_for(*event[:2]) else None
            case "message_delta":
                return self._readable_end(event.data)
        return event.data

    def _readable_end(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        if isinstance(data.get("delta"), dict) and isinstance(data.get("usage"), dict):
            return data
        message = self._assembler.message  # with all that is known so far
        usage = _objects({"usage": _NO_USAGE}, message)["usage"]
        known = {
            "delta": {"stop_reason": message.get("stop_reason")},
            "usage": {"output_tokens": usage.get("output_tokens", 0)},
        }
        return {**data, **_objects(known, data)}


def _readable_start(data: Mapping[str, Any]) -> Mapping[str, Any]:
    message = data["message"]
    content, usage = message.get("content"), message.get("usage")
    blocks = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    if blocks == content and isinstance(usage, dict):
        return data
    filled = _objects({"usage": _NO_USAGE}, message)
    return {**data, "message": {**message, **filled, "content": blocks}}


def _readable_block(data: Mapping[str, Any]) -> Mapping[str, Any]:
    block = data["content_block"]
    kind = block.get("type")
    if kind not in _GROWING or isinstance(block.get(kind), str):
        return data
    return {**data, "content_block": {**block, kind: ""}}


def _is_readable(delta: object) -> bool:
    kind = delta.get("type") if isinstance(delta, dict) else None
    if not isinstance(delta, dict) or not isinstance(kind, str):
        return False
    field = _TEXT_OF.get(kind)
    return field is None or isinstance(delta.get(field), str)


def _objects(known: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``known`` as ``data`` has them, where they are objects there."""
    return {name: data[name] if isinstance(data.get(name), dict) else known[name] for name in known}


def _shown(data: Mapping[str, Any]) -> str:
    delta = data.get("delta")
    if not isinstance(delta, dict):
        return ""
    return next((text for name in _SHOWN if isinstance(text := delta.get(name), str)), "")


def attempt_of(request: APIRequest, model: str, call: ProviderCall) -> APIRequest:
    """The SDK's request for one attempt: the caller's own, untouched, for the model it names."""
    if call.target.model == model and not call.headers and call.number == 1:
        return request
    options = copy(request.options)
    if call.target.model != model:
        body = {**call.body, "model": call.target.model}
        options.json_data = {**body, "stream": True} if request.stream else body
    if call.headers:
        options.headers = {**request.headers, **call.headers}
    attempt = copy(request)
    attempt.options = options
    attempt.retries_taken += call.number - 1
    return attempt
