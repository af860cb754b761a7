"""An incremental reader of server-sent events, over bytes that may be cut anywhere.

It follows the event stream format of the HTML standard (lines end in LF, CR or CRLF, one byte
order mark may open the stream, bytes that are not UTF-8 become U+FFFD), except that an event keeps
no ``id`` and no ``retry``: there is nothing to resume here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from failsoft.classify.wire_errors import BadReply

__all__ = ["DEFAULT_EVENT_LIMIT", "SSEReader", "ServerSentEvent", "encoded"]

# Far above the largest block a provider sends in one event (an encoded file), far below a worker's
# memory.
DEFAULT_EVENT_LIMIT = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"

# An event as providers write it, and its other fields. Only at the start of
# a line, or a long line could be searched again from each of its bytes.
_FRAME = re.compile(rb"^event: ([^\n]*)\ndata: ([^\n]*)\n\n", re.MULTILINE)
_BLANKS, _MORE_BLANKS = b"\n\n\n", re.compile(rb"\n{3,}")
_FRAME_REST = len(b"event: \ndata: \n\n")


class ServerSentEvent(NamedTuple):
    """One event: its ``event:`` name (empty where it has none) and its ``data:`` lines, joined."""

    name: str
    data: str


def encoded(name: str, data: str) -> bytes:
    r"""The bytes of an event.

    >>> encoded("ping", "{}")
    b'event: ping\ndata: {}\n\n'
    """
    lines = data.replace("\n", "\ndata: ")
    event = f"event: {name}\n" if name else ""
    return f"{event}data: {lines}\n\n".encode()


class SSEReader:
    r"""Turns chunks of bytes into events; time and memory are linear in what is fed.

    ``limit`` bounds the bytes kept for one event that is not complete yet. The events do not
    depend on how the bytes were cut into chunks.

    >>> reader = SSEReader()
    >>> reader.feed(b'event: ping\ndata: {"type":')
    []
    >>> reader.feed(b' "ping"}\n\n')
    [ServerSentEvent(name='ping', data='{"type": "ping"}')]
    """

    def __init__(self, *, limit: int = DEFAULT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._opening: bytes | None = b""  # None once it is known whether a BOM opens the stream
        self._skip_lf = False  # the last chunk ended in CR, the next may open with its LF
        self._partial = bytearray()  # the line that has not ended yet
        self._name = b""
        self._data: list[bytes] = []
        self._data_size = 0
        self._too_large = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that ``chunk`` completes.

        Raises :class:`~failsoft.classify.wire_errors.BadReply` when an event exceeds the limit, and
        at every call from then on; events completed before it are yielded first.
        """
        events: list[ServerSentEvent] = []
        if not self._too_large:
            self._read(chunk, events)
        if self._too_large and not events:
            raise BadReply(f"a single event of the stream is larger than {self._limit} bytes")
        return events

    def _read(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        if self._opening is not None:
            chunk = self._after_bom(chunk)
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._takes_frames(chunk, events):
            return
        if _BLANKS in chunk:
            chunk = _MORE_BLANKS.sub(b"\n\n", chunk)  # a second empty line ends nothing more
        end = chunk.rfind(b"\n")
        if end >= 0:
            ended = chunk[:end] if not self._partial else bytes(self._partial) + chunk[:end]
            self._partial.clear()
            self._take_lines(ended.split(b"\n"), events)
        self._partial += chunk[end + 1 :]
        self._check(len(self._partial))

    def _after_bom(self, chunk: bytes) -> bytes:
        chunk = (self._opening or b"") + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._opening = chunk
            return b""
        self._opening = None
        return chunk.removeprefix(_BOM)

    def _takes_frames(self, chunk: bytes, events: list[ServerSentEvent]) -> bool:
        """Read a chunk that is nothing but whole events as providers write them: the usual case."""
        if self._partial or self._data or self._name or len(chunk) > self._limit:
            return False
        frames = _FRAME.findall(chunk)
        if sum(len(name) + len(data) + _FRAME_REST for name, data in frames) != len(chunk):
            return False
        events += [_event(name, data) for name, data in frames]
        return True

    def _take_lines(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        for line in lines:
            if not line:
                self._end_event(events)
                continue
            self._check(len(line))
            if self._too_large:
                return
            if line.startswith(b"data: "):
                self._data.append(line[6:])
                self._data_size += len(line)
            else:
                self._take_field(line)

    def _take_field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"event":
            self._name = value.removeprefix(b" ")
        elif field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_size += len(line)

    def _end_event(self, events: list[ServerSentEvent]) -> None:
        if self._data:
            events.append(_event(self._name, b"\n".join(self._data)))
            self._data.clear()
            self._data_size = 0
        self._name = b""

    def _check(self, size: int) -> None:
        self._too_large = self._too_large or self._data_size + size > self._limit


def _event(name: bytes, data: bytes) -> ServerSentEvent:
    return ServerSentEvent(name.decode("utf-8", "replace"), data.decode("utf-8", "replace"))
