"""What comes before a request's body, within bounds of size and time."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from failsoft.engine.call import new_request_id
from failsoft.server.problem import ProblemResponse

__all__ = ["HEAD_BYTES", "HEAD_SECONDS", "BoundedHead"]

# What nginx and Apache allow in all, more or less; a head that came whole in one read is not cut.
HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0

_TOO_LARGE = f"The headers are larger than {HEAD_BYTES // 1024} KB. Send fewer or shorter ones."
_TOO_SLOW = f"The request line and headers did not come within {HEAD_SECONDS:g} seconds."
_NOT_HTTP = "This is not an HTTP request that can be read."


class BoundedHead(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which by itself keeps headers of any size and waits for them for ever.

    What cannot be read is told as ``application/problem+json``, as everything else is.
    """

    _in_head = False
    _head_bytes = 0
    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Give the first head its time."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has outgrown its bound."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LARGE)

    def on_message_begin(self) -> None:
        """Count anew: a connection may carry many requests."""
        if not self._in_head:
            self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The bounds of the body are the application's."""
        self._end_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell in our own way what uvicorn could not read."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST, _NOT_HTTP)

    def _begin_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, _TOO_SLOW)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        self._end_head()
        if self.transport.is_closing():
            return
        headers = {"connection": "close", "x-request-id": new_request_id()}
        response = ProblemResponse(status, detail, headers=headers)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()
