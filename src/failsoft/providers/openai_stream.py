"""Reads one reply of a Chat Completions service as it comes, as events of the Messages API.

A stream is whole when every choice has its finish reason: ``[DONE]`` proves nothing, and some send
it behind an error. An event that is no JSON changes nothing, unless content is missing because of
it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from failsoft.classify.wire_errors import StreamFailed
from failsoft.dialects.chat_stream import ChatStreamReader
from failsoft.dialects.completion import message_of
from failsoft.providers.event_exchange import PLAIN, EventExchange
from failsoft.providers.payload import parsed, unwrapped
from failsoft.providers.protocol import Reply, WireEvent
from failsoft.providers.sse import ServerSentEvent

__all__ = ["OpenAIExchange"]

_DONE = "[DONE]"
_END = ServerSentEvent("", _DONE)
_CHUNK = WireEvent("chunk", {}, content=False, text="")
_BEARS_CONTENT = ('"choices"', '"delta"')


class OpenAIExchange(EventExchange):
    """An :class:`~failsoft.providers.protocol.Exchange` of Chat Completions, to be entered once."""

    _terminal = "a finish reason"

    def __init__(
        self, send: Callable[[], Awaitable[Reply]], *, max_bytes: int, passes: bool = False
    ) -> None:
        super().__init__(send, max_bytes=max_bytes, passes=passes)
        self._chat = ChatStreamReader()
        self._ready: deque[WireEvent] = deque()

    async def __anext__(self) -> WireEvent:
        return self._ready.popleft() if self._ready else await super().__anext__()

    @property
    def _all_here(self) -> bool:
        return self._chat.complete

    def _is_error(self, fields: Mapping[str, Any]) -> bool:
        choices = fields.get("choices")
        reasons = (
            choice.get("finish_reason")
            for choice in (choices if isinstance(choices, list) else ())
            if isinstance(choice, dict)
        )
        return bool(fields.get("error")) or fields.get("object") == "error" or "error" in reasons

    def _message_in(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        message = message_of(fields)
        return message if message["stop_reason"] else None  # one that broke off is none

    def _at_end(self, error: Exception | None) -> Exception | None:
        failed = super()._at_end(error)
        if self._complete and not self._plain:
            self._soft_end = error is not None  # a stream may end without [DONE]
            self._waiting.append(_END)
        return failed

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        if sse is PLAIN:
            return self._given([("message", self._plain)])
        if sse.data.strip() == _DONE:
            return self._conclude()
        chunk = unwrapped(parsed(sse.data))
        if sse.name == "error" or (isinstance(chunk, dict) and self._is_error(chunk)):
            body = chunk if isinstance(chunk, dict) else sse.data
            self._end_with(self._failure(StreamFailed, "an error came in the stream", body))
            return None
        if isinstance(chunk, dict):
            return self._given(self._chat.feed(chunk))
        self._skip(sse)
        return None

    def _conclude(self) -> WireEvent | None:
        if not self._chat.complete:
            self._end_with(self._broken("[DONE] came before a finish reason"))
            return None
        self._complete = True
        self._waiting.clear()
        return self._given(self._chat.finish())

    def _given(self, events: list[tuple[str, dict[str, Any]]]) -> WireEvent:
        """The first of what a chunk brings; the others come next."""
        self._begun = True
        ready = [self._assembler.event(kind, data) for kind, data in events]
        self._ready.extend(ready[1:])
        return ready[0] if ready else _CHUNK

    def _skip(self, sse: ServerSentEvent) -> None:
        """Go on without an event that is no JSON, unless content is missing because of it."""
        if not self._chat.complete and any(part in sse.data for part in _BEARS_CONTENT):
            broken = f"the data of an event is no JSON object: {sse.data[:200]!r}"
            self._end_with(self._broken(broken))
