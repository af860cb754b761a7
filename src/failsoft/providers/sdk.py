"""Anthropic's own SDK as the way to its API: an attempt is a call of the client it wraps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from failsoft.classify.wire_errors import WireFailure
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.protocol import ProviderCall, Reply, WireEvent
from failsoft.providers.sse import ServerSentEvent

if TYPE_CHECKING:
    from anthropic import APIRequest

__all__ = ["SdkProvider", "Send", "attempt_of"]

# What a caller of the SDK is shown of an answer besides its text.
_SHOWN = ("thinking", "partial_json")


R = TypeVar("R", bound=Reply)

Send = Callable[["APIRequest", float | None], Awaitable[R]]
"""Makes one attempt, whose silence is over after so many seconds; raises what the SDK raises."""


class SdkProvider(Generic[R]):
    """The provider of one request of a wrapped client; ``model`` is the one it names itself.

    Unlike others it is for that request alone: it keeps the replies, so that the SDK is given its
    own objects back.
    """

    def __init__(self, request: APIRequest, model: str, send: Send[R]) -> None:
        self._request = request
        self._model = model
        self._send = send
        self._replies: list[R] = []

    @property
    def latest(self) -> R | None:
        """The reply to the latest attempt that had one."""
        return self._replies[-1] if self._replies else None

    def reply_with(self, failure: BaseException | None) -> R | None:
        """The reply that failed so; ``None`` where there was none, or failsoft itself failed it."""
        if not isinstance(failure, WireFailure):
            return None
        return next((one for one in self._replies if one.headers is failure.headers), None)

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        """One attempt, by the SDK; see :mod:`failsoft.providers.protocol`."""

        async def send() -> Reply:
            reply = await self._send(attempt_of(self._request, self._model, call), call.seconds)
            self._replies.append(reply)
            return reply

        return _SdkExchange(send, max_bytes=call.max_bytes, passes=self._request.stream)

    async def aclose(self) -> None:
        """The client is its owner's to close."""


class _SdkExchange(AnthropicExchange):
    """Whatever the SDK's caller is shown counts as text: nothing of it may come twice.

    The SDK reads the data of every event that has a name, and raises where it is no JSON.
    """

    async def __anext__(self) -> WireEvent:
        event = await super().__anext__()
        if event.content and not event.text:
            return event._replace(text=_shown(event.data))
        return event

    def _is_needed(self, sse: ServerSentEvent) -> bool:
        return bool(sse.name)


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
