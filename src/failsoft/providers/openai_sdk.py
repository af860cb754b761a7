"""The HTTP client of the openai SDK as the way to its service: an attempt is a request by it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx2

from failsoft.classify.wire_errors import StreamFailed
from failsoft.dialects.chat_format import ChatFormat
from failsoft.dialects.json_values import mapping_in
from failsoft.providers.event_exchange import PLAIN, EventExchange
from failsoft.providers.openai_stream import OpenAIExchange
from failsoft.providers.payload import encode, parsed
from failsoft.providers.protocol import ProviderCall, Reply, WireEvent
from failsoft.providers.sdk import ClientExchange, ClientProvider, Sender
from failsoft.providers.sse import ServerSentEvent, encoded

__all__ = ["CompletionProvider", "ResponseProvider", "SendHttp"]

R = TypeVar("R", bound=Reply)

SendHttp = Callable[[httpx2.Request, float | None], Awaitable[R]]
"""Makes one attempt, whose silence is over after so many seconds; raises what httpx2 raises."""

_ENDS = ("response.completed", "response.incomplete")
_FAILS = ("response.failed", "error")

_RETRIES = "x-stainless-retry-count"
_OF_THE_BODY = frozenset(("content-length", "content-type", "transfer-encoding"))
# Azure names the model in the address.
_DEPLOYMENT = re.compile(rb"(/deployments/)[^/?]+")


class _HttpProvider(ClientProvider[R]):
    """The provider of one ``request``, whose ``model`` it names itself, and its ``body``."""

    def __init__(
        self, request: httpx2.Request, model: str, body: Mapping[str, Any], send: SendHttp[R]
    ) -> None:
        super().__init__()
        self._request = request
        self._model = model
        self._passes = body.get("stream") is True
        self._send = send

    def _asker(self, call: ProviderCall) -> Callable[[], Awaitable[R]]:
        """What makes one attempt."""
        return lambda: self._send(attempt_of(self._request, self._model, call), call.seconds)


class CompletionProvider(_HttpProvider[R]):
    """That of a request for a chat completion."""

    shows_errors = False  # the SDK reads over those without a field ``error``
    form = ChatFormat()

    def exchange(self, call: ProviderCall) -> OpenAIExchange:
        """One attempt, by the SDK's client; see :mod:`failsoft.providers.protocol`."""
        events: list[bytes] = []
        send = self._sender(self._asker(call), events)
        return _ChatExchange(send, events, max_bytes=call.max_bytes, passes=self._passes)


class ResponseProvider(_HttpProvider[R]):
    """That of a request for an answer of the Responses API."""

    shows_errors = True

    def exchange(self, call: ProviderCall) -> EventExchange:
        """One attempt, by the SDK's client; see :mod:`failsoft.providers.protocol`."""
        events: list[bytes] = []
        send = self._sender(self._asker(call), events)
        return _ResponseExchange(send, events, max_bytes=call.max_bytes, passes=self._passes)


class _ChatExchange(ClientExchange, OpenAIExchange):
    """An exchange of Chat Completions. The SDK gets each event that it can read as it came."""

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        event = super()._take(sse)
        if event is None or sse is PLAIN:
            return event
        self._events.append(encoded(sse.name, sse.data))
        if event.type == "chunk" and (shown := _shown_in(parsed(sse.data))):
            return event._replace(content=True, text=shown)
        return event


def _shown_in(chunk: Any) -> str:
    """What a chunk shows in a place that has no counterpart in a message, of another choice say."""
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        for field, value in delta.items() if isinstance(delta, dict) else ():
            if field != "role" and value:
                return str(value)
    return ""


class _ResponseExchange(ClientExchange, EventExchange):
    """An exchange of the Responses API, of which no more is read than whether it is one."""

    _terminal = "response.completed"

    def __init__(self, send: Sender, events: list[bytes], *, max_bytes: int, passes: bool) -> None:
        super().__init__(send, events, max_bytes=max_bytes, passes=passes)
        self._answer: dict[str, Any] = {}

    @property
    def message(self) -> dict[str, Any]:
        """The usage of the answer, once it is known."""
        return self._answer

    @property
    def _all_here(self) -> bool:
        return self._complete

    def _is_error(self, fields: Mapping[str, Any]) -> bool:
        return bool(fields.get("error")) and fields.get("object") != "response"

    def _message_in(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        return dict(fields) if fields.get("object") == "response" else None

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        self._begun = True
        if sse is PLAIN:
            self._answer = {"usage": self._plain.get("usage")}
            return WireEvent("message", self._plain, content=True, text="")
        data = parsed(sse.data)
        if not isinstance(data, dict):
            self._end_with(self._broken(f"an event is no JSON object: {sse.data[:200]!r}"))
            return None
        self._events.append(encoded(sse.name, sse.data))
        kind, delta = data.get("type"), data.get("delta")
        if kind in _FAILS:
            self._end_with(
                self._failure(StreamFailed, "an error came in the stream", _error_of(data))
            )
            return None
        if kind in _ENDS:
            self._complete = True
            self._answer = {"usage": mapping_in(data, "response").get("usage")}
        shown = delta if isinstance(delta, str) else ""
        return WireEvent(str(kind), data, content=bool(shown), text=shown)

    async def _finish(self) -> Exception | None:
        if not self._reply.ended:
            await self._linger()
        return None


def _error_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of an error, as a reply would have it."""
    return {"error": mapping_in(event, "response").get("error") or event.get("error") or event}


def attempt_of(request: httpx2.Request, model: str, call: ProviderCall) -> httpx2.Request:
    """The SDK's request for one attempt: the caller's own, untouched, for the model it names."""
    other = call.target.model != model
    if not other and not call.headers and call.number == 1:
        return request
    kept = [(n, v) for n, v in request.headers.multi_items() if n.lower() not in _OF_THE_BODY]
    content, url = request.content, request.url
    if other:
        named = call.target.model
        content = encode({**call.body, "model": named})
        path = _DEPLOYMENT.sub(lambda found: found[1] + named.encode(), url.raw_path)
        url = url.copy_with(raw_path=path)
    attempt = httpx2.Request(
        request.method,
        url,
        headers=[*kept, ("content-type", request.headers.get("content-type", "application/json"))],
        content=content,
        extensions=request.extensions,
    )
    attempt.headers.update(call.headers)
    attempt.headers[_RETRIES] = str(call.number - 1)
    return attempt
