"""Reads Amazon's binary event stream, in which Bedrock sends the events of the Messages API.

A frame is: total length, length of its headers, CRC32 of these eight bytes; headers; payload; CRC32
of all before it. Lengths have four bytes, the most significant first. A header is a name with its
length in one byte, a type in one byte, and a value by its type.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final
from zlib import crc32

from failsoft.classify.wire_errors import BadReply
from failsoft.providers.payload import parsed
from failsoft.providers.sse import DEFAULT_EVENT_LIMIT, ServerSentEvent

__all__ = ["AwsFrameReader"]

_PRELUDE = 12
_CRC = 4
_STRING = 7
# Bytes of a value by its type; of bytes (6) and strings (7) the length comes first, in two bytes.
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class AwsFrameReader:
    """Turns chunks of bytes into events, however they were cut; ``limit`` bounds one frame.

    An exception in the stream comes as an event ``error``, in the shape of Anthropic's.
    """

    def __init__(self, *, limit: int = DEFAULT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._partial = bytearray()
        self._broken = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that ``chunk`` completes.

        Raises :class:`~failsoft.classify.wire_errors.BadReply` for what is no frame and for one
        that is too large, once the events before it were given.
        """
        self._partial += chunk
        events: list[ServerSentEvent] = []
        while not self._broken and (frame := self._next_frame()) is not None:
            if (event := _event(frame)) is not None:
                events.append(event)
        if self._broken and not events:
            raise BadReply(self._broken)
        return events

    def _next_frame(self) -> bytes | None:
        data = self._partial
        if len(data) < _PRELUDE:
            return None
        total = int.from_bytes(data[:4])
        if crc32(data[:8]) != int.from_bytes(data[8:_PRELUDE]):
            self._broken = "a frame's head does not match its checksum"
        elif total > self._limit:
            self._broken = f"a single event of the stream is larger than {self._limit} bytes"
        elif len(data) >= total:
            frame = bytes(data[:total])
            del data[:total]
            if crc32(frame[:-_CRC]) == int.from_bytes(frame[-_CRC:]):
                return frame
            self._broken = "a frame does not match its checksum"
        return None


def _event(frame: bytes) -> ServerSentEvent | None:
    end = _PRELUDE + int.from_bytes(frame[4:8])
    headers, payload = _headers(frame[_PRELUDE:end]), frame[end:-_CRC]
    if headers.get(":message-type", "event") != "event":
        kind = headers.get(":exception-type") or headers.get(":error-code", "")
        told = parsed(payload.decode(errors="replace"))
        error = {"message": headers.get(":error-message", ""), **_mapping(told), "type": kind}
        return ServerSentEvent("error", json.dumps({"type": "error", "error": error}))
    if headers.get(":event-type") != "chunk":
        return None
    encoded = _mapping(parsed(payload.decode(errors="replace"))).get("bytes")
    try:
        data = base64.b64decode(encoded) if isinstance(encoded, str) else b""
    except binascii.Error:
        data = payload
    # Its name is in its data; what is no JSON is then known by its words.
    return ServerSentEvent("", data.decode(errors="replace"))


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind, at = data[at + 1 : name_end], data[name_end : name_end + 1], name_end + 1
        if not kind:
            break
        size = _SIZES.get(kind[0])
        if size is None:
            size, at = int.from_bytes(data[at : at + 2]), at + 2
        if kind[0] == _STRING:
            found[name.decode(errors="replace")] = data[at : at + size].decode(errors="replace")
        at += size
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
