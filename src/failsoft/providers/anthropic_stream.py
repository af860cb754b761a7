"""Reads one reply of Anthropic's Messages API as it comes.

An event without data, one of an unknown kind, and one that is no JSON change nothing, unless
content is missing because of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.classify.wire_errors import StreamFailed
from failsoft.providers.event_exchange import PING, PLAIN, EventExchange
from failsoft.providers.payload import parsed
from failsoft.providers.protocol import WireEvent
from failsoft.providers.sse import ServerSentEvent

__all__ = ["AnthropicExchange"]

_BEARS_CONTENT = ("content_block_start", "content_block_delta")


class AnthropicExchange(EventExchange):
    """An :class:`~failsoft.providers.protocol.Exchange` of the Messages API, to be entered once."""

    _terminal = "message_stop"

    def _is_error(self, fields: Mapping[str, Any]) -> bool:
        return fields.get("type") == "error"

    def _message_in(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        known = fields.get("type") in ("message", None) and isinstance(fields.get("content"), list)
        return dict(fields) if known else None

    def _take(self, sse: ServerSentEvent) -> WireEvent | None:
        if sse.name == "ping":  # its data means nothing
            self._begun = True
            return PING
        data = self._plain if sse is PLAIN else parsed(sse.data)
        kind = data.get("type") if isinstance(data, dict) else None
        kind = kind if isinstance(kind, str) else sse.name
        if kind == "error" or sse.name == "error":
            body = data if isinstance(data, dict) else sse.data
            failed = self._failure(StreamFailed, "an error event came in the stream", body)
            self._end_with(failed)
            return None
        return self._read_event(kind, data) if isinstance(data, dict) else self._skip(sse)

    def _read_event(self, kind: str, data: Mapping[str, Any]) -> WireEvent | None:
        self._begun = True
        if kind == "message_stop":
            self._complete = True
            self._waiting.clear()
        return self._assembler.event(kind, data)

    def _skip(self, sse: ServerSentEvent) -> WireEvent | None:
        """Go on without an event that is no JSON, unless content is missing because of it."""
        if sse.data.strip() and self._is_needed(sse):
            broken = f"the data of an event is no JSON object: {sse.data[:200]!r}"
            self._end_with(self._broken(broken))
        elif sse.name == "message_stop":
            self._complete = True
        return None

    def _is_needed(self, sse: ServerSentEvent) -> bool:
        """Whether an event whose data cannot be read was to bring content; few have no name."""
        return sse.name in _BEARS_CONTENT or any(f'"{kind}"' in sse.data for kind in _BEARS_CONTENT)
