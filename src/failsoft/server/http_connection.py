"""An HTTP/1.1 connection of uvicorn's whose memory is bounded, whatever its peer sends.

uvicorn keeps headers and trailers of any size, waits for a head for ever, and takes any number of
requests of one connection that wait for the one before them.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from asyncio import BaseTransport, TimerHandle
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from failsoft.engine.request import new_request_id
from failsoft.server.problem import ProblemResponse

__all__ = [
    "FRAMING_BYTES",
    "HEADER_COUNT",
    "HEAD_BYTES",
    "HEAD_SECONDS",
    "PIPELINE",
    "BoundedConnection",
    "most_connections",
    "raise_open_files",
]

# What nginx and Apache allow in all, more or less.
HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
HEADER_COUNT = 256

# Sizes of chunks, their extensions and trailers, without a byte of the body among them.
FRAMING_BYTES = 16 * 1024

# Requests of a connection that wait for the one before them.
PIPELINE = 16

# The parser is given so many bytes at a time: a bound is overstepped by no more than that.
_PART_BYTES = 2048

# In one turn of the loop. uvloop alone reads a socket up to 32 times in a row, 256,000 bytes at a
# time: twenty bodies of 30 MB, refused already, held the loop for 115 ms. In chunks of one byte, so
# much takes the parser 5 ms.
_TURN_BYTES = 16 * 1024

# A chunked body that comes after its reply is parsed up to here, so that the connection can be used
# again; the rest is thrown away unread until the connection is closed.
_LATE_BYTES = 1024 * 1024

# Some clients offer h2c with every request; a server may ignore it (RFC 9110, 7.8).
_END_OF_HEAD = b"\r\n\r\n"
_UPGRADE = b"\nupgrade:"
_UPGRADE_FIELD = re.compile(_UPGRADE, re.IGNORECASE)
_IGNORED_FIELD = b"\nx-was-upgrade:"

_TOO_LARGE = f"The headers are larger than {HEAD_BYTES // 1024} KB. Send fewer or shorter ones."
_TOO_MANY = f"There are more than {HEADER_COUNT} headers. Send fewer."
_TOO_SLOW = f"The request line and headers did not come within {HEAD_SECONDS:g} seconds."
_TOO_WORDY = f"More than {FRAMING_BYTES // 1024} KB came without a byte of the body."
_TOO_EARLY = (
    f"More than {PIPELINE} requests of this connection wait for an answer. "
    "Send the next one when an earlier one is answered."
)
_CROWDED = "This server has as many connections as it can hold. Try again in a second."
_NOT_HTTP = "This is not an HTTP request that can be read."
_NO_HOST = "A request needs exactly one Host header. Send one."


# A liveness probe is answered however many others there are.
_PROBES = frozenset({b"/livez", b"/readyz"})

_HAS_LIMITS = importlib.util.find_spec("resource") is not None  # not on every system
if _HAS_LIMITS:
    import resource

# Open files that are no connections: a request may need another one for its model's.
_OTHER_FILES = 64
_LEAST_CONNECTIONS = 8
_IDLE_SECONDS = 1.0


def raise_open_files() -> None:
    """Let this process open as many files as the system allows it."""
    if _HAS_LIMITS:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Connections that may ask: so many more may be silent, and as many to models be open.

    Any number where the system sets no limit to open files.
    """
    if not _HAS_LIMITS:
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(_LEAST_CONNECTIONS, (soft - _OTHER_FILES) // 3)


class BoundedConnection(HttpToolsProtocol):
    """Bounds heads, framing, trailers (which are not kept), the pipeline, and how many there are.

    What cannot be read is refused as ``application/problem+json``, as everything else is, once
    what came before it is answered; then the connection is closed.
    """

    _in_head = False
    _head_bytes = _framing_bytes = _late_bytes = 0
    _unparsed = b""
    _line_begun = b""
    _waits = _thrown_away = False
    _head_timer: TimerHandle | None = None
    _made_at = 0.0
    _refusal: tuple[HTTPStatus, str] | None = None
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Give the first head its time; one too many takes the place of one that asks nothing."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it
        self._begin_head()
        self._made_at = self.loop.time()
        if len(self.connections) > most_connections():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that runs, not the last one alone; leave nothing to the collector."""
        self._end_head()
        self._unparsed = b""
        super().connection_lost(exc)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        for cycle, _ in self.pipeline:
            cycle.on_response = _nothing
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Parse what came. After a refusal it is read over: else a peer that leaves is not seen.

        Work beyond one turn waits for the next one, after the other connections.
        """
        self._unparsed += data
        if self._waits:
            self.transport.pause_reading()  # a reply that was completed resumed it
        else:
            self._parse_some()

    def on_message_begin(self) -> None:
        """Reset the counts: a connection may carry many requests."""
        if not self._in_head:
            self._begin_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, up to one too many; what follows a body is read over."""
        if self._in_head and len(self.headers) <= HEADER_COUNT:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin with the request, or queue it; its body is the application's to bound."""
        self._end_head()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if len(self.headers) > HEADER_COUNT:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_MANY)
        elif hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._refuse(HTTPStatus.BAD_REQUEST, _NO_HOST)
        elif self._is_crowded() and self.url.partition(b"?")[0] not in _PROBES:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _CROWDED)
        elif len(self.pipeline) >= PIPELINE:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, _TOO_EARLY)
        else:
            super().on_headers_complete()
            self.flow.resume_reading()  # paused where it waits: a peer that leaves is not seen

    def on_body(self, body: bytes) -> None:
        """Hand the body on."""
        self._framing_bytes = 0
        if not self._refusal:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand the body's end on."""
        if not self._refusal:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what waits, or refuse what could not be read once all before is answered."""
        super().on_response_complete()
        if self._refusal and not _is_busy(self) and not self.transport.is_closing():
            self._say(*self._refusal)

    def send_400_response(self, msg: str) -> None:
        """Tell in our own way what uvicorn could not read."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _parse(self, part: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(part)
        else:
            self._framing_bytes += len(part)
        if self._in_head or not self.cycle.more_body:  # or between a request and the next
            part = self._without_upgrade(part)
        super().data_received(part)
        self._count_late(len(part))
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)
        elif not self._in_head and self._framing_bytes > FRAMING_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, _TOO_WORDY)

    def _without_upgrade(self, part: bytes) -> bytes:
        """Hide from the parser, which would skip the body, that another protocol is offered.

        A line whose name goes on in the next part is kept back for it.
        """
        head, end, rest = (self._line_begun + part).partition(_END_OF_HEAD)
        self._line_begun = b""
        line = head.rfind(b"\n")
        if not end and line >= 0 and _UPGRADE.startswith(head[line:].lower()):
            head, self._line_begun = head[:line], head[line:]
        return _UPGRADE_FIELD.sub(_IGNORED_FIELD, head) + end + rest

    def _parse_some(self) -> None:
        now, self._unparsed = self._unparsed[:_TURN_BYTES], self._unparsed[_TURN_BYTES:]
        for start in range(0, len(now), _PART_BYTES):
            if self._refusal or self._thrown_away or self.transport.is_closing():
                self._unparsed = b""
                break
            self._parse(now[start : start + _PART_BYTES])
        if len(now) == _TURN_BYTES and not self.transport.is_closing():
            self._waits = True
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._waits = False
        if self._unparsed:
            self._parse_some()
        if not self._waits and not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _count_late(self, size: int) -> None:
        """Give up a chunked body whose request is answered: it costs more than it is worth."""
        cycle = self.cycle
        if self._in_head or cycle is None or not (cycle.response_complete and cycle.more_body):
            self._late_bytes = 0
            return
        self._late_bytes += size
        chunked = all(name != b"content-length" for name, _ in self.headers)
        if chunked and self._late_bytes > _LATE_BYTES:
            self._thrown_away = True
            self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _begin_head(self) -> None:
        self._in_head, self._head_bytes, self._framing_bytes = True, 0, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, _TOO_SLOW)

    def _make_room(self) -> None:
        """Close the oldest that asks nothing; while there is room, not one that may be about to."""
        idle = [one for one in self.connections if not _is_busy(one)]
        oldest = min(idle, key=_made_at, default=self)
        no_room = len(self.connections) > 2 * most_connections()
        if no_room or self._made_at - _made_at(oldest) > _IDLE_SECONDS:
            oldest.transport.abort()

    def _is_crowded(self) -> bool:
        """Whether as many ask as may. Those that ask nothing make room."""
        most = most_connections()
        return len(self.connections) > most and sum(map(_is_busy, self.connections)) >= most

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Refuse what is being read, and all that would follow."""
        if self._refusal or self.transport.is_closing():
            return
        self._end_head()
        self._refusal = status, detail
        if not _is_busy(self):
            self._say(status, detail)
        elif self.cycle.more_body:  # it is this one that cannot be read
            if self.pipeline or self.cycle.response_started:
                self.transport.close()
            else:
                self._say(status, detail)

    def _say(self, status: HTTPStatus, detail: str) -> None:
        headers = {"connection": "close", "x-request-id": new_request_id()}
        response = ProblemResponse(status, detail, headers=headers)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()


def _is_busy(connection: Any) -> bool:
    """Whether any request of it whose head could be read is not answered yet."""
    return connection.cycle is not None and not connection.cycle.response_complete


def _made_at(connection: Any) -> float:
    made_at: float = connection._made_at  # noqa: SLF001 - one of ours
    return made_at


def _nothing() -> None:
    """No response is waited for any more."""
