"""The HTTP client of the openai SDK as the way to its service: an attempt is a request by it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx2

from failsoft.dialects.chat_format import ChatFormat
from failsoft.providers.event_exchange import PLAIN
from failsoft.providers.openai_stream import OpenAIExchange
from failsoft.providers.payload import encode, parsed
from failsoft.providers.protocol import ProviderCall, Reply, WireEvent
from failsoft.providers.sdk import ClientExchange, ClientProvider
from failsoft.providers.sse import ServerSentEvent, encoded

__all__ = ["OpenAISdkProvider", "SendHttp"]

R = TypeVar("R", bound=Reply)

SendHttp = Callable[[httpx2.Request, float | None], Awaitable[R]]
"""Makes one attempt, whose silence is over after so many seconds; raises what httpx2 raises."""

_RETRIES = "x-stainless-retry-count"
_OF_THE_BODY = frozenset(("content-length", "content-type", "transfer-encoding"))
# Azure names the model in the address.
_DEPLOYMENT = re.compile(rb"(/deployments/)[^/?]+")


class OpenAISdkProvider(ClientProvider[R]):
    """The provider of one request for a chat completion; ``body`` is what was sent."""

    shows_errors = False  # the SDK reads over those without a field ``error``
    form = ChatFormat()

    def __init__(self, request: httpx2.Request, body: Mapping[str, Any], send: SendHttp[R]) -> None:
        super().__init__()
        self._request = request
        self._body = body
        self._send = send

    def exchange(self, call: ProviderCall) -> OpenAIExchange:
        """One attempt, by the SDK's client; see :mod:`failsoft.providers.protocol`."""
        events: list[bytes] = []

        def ask() -> Awaitable[R]:
            return self._send(attempt_of(self._request, self._body, call), call.seconds)

        passes = self._body.get("stream") is True
        send = self._sender(ask, events)
        return _ChatExchange(send, events, max_bytes=call.max_bytes, passes=passes)


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


def attempt_of(
    request: httpx2.Request, body: Mapping[str, Any], call: ProviderCall
) -> httpx2.Request:
    """The SDK's request for one attempt: the caller's own, untouched, for the model it names."""
    other = call.target.model != body.get("model")
    if not other and not call.headers and call.number == 1:
        return request
    kept = [(n, v) for n, v in request.headers.multi_items() if n.lower() not in _OF_THE_BODY]
    content, url = request.content, request.url
    if other:
        model = call.target.model
        content = encode({**call.body, "model": model})
        path = _DEPLOYMENT.sub(lambda found: found[1] + model.encode(), url.raw_path)
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
