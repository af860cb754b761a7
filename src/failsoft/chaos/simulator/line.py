"""The connection to one client: how a reply begins on it, and the ways to break it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Final, Never

from aiohttp import web

from failsoft.chaos.simulator.clock import Clock
from failsoft.chaos.simulator.journal import Record
from failsoft.chaos.simulator.wire import Reply

__all__ = ["RECORD", "Line", "as_response"]

RECORD: Final = web.RequestKey("record", Record)
"""Where the record of a request is kept while it is handled."""

_NO_HEADERS: Final[Mapping[str, str]] = {}
_READING_SECONDS: Final = 0.01
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Line:
    """One request's way back. It notes in the request's record what was sent, and when."""

    def __init__(
        self, request: web.Request, *, clock: Clock, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None
        self.clock = clock
        self.record = request[RECORD]
        self.headers = {"request-id": self.record.request_id, **headers}

    def whole(self, reply: Reply) -> web.StreamResponse:
        """A reply that is sent in one piece."""
        return as_response(reply, self.headers)

    async def begin(self, response: web.StreamResponse) -> None:
        """Send the head of a reply whose body is still to come."""
        self._response = response
        self.record.status = response.status
        self.record.first_byte_s = self.clock.now()
        await response.prepare(self._request)

    async def silence(self) -> Never:
        """Send nothing more and keep the connection until the client has gone."""
        while True:
            await asyncio.Event().wait()

    async def abort(self) -> web.StreamResponse:
        """Reset the connection (RST)."""
        if self._response is not None:
            # A reset overtakes what the client has not read yet, so let it read.
            await asyncio.sleep(_READING_SECONDS)
        transport = self._transport()
        if (sock := transport.get_extra_info("socket")) is not None:
            # Without this the kernel says goodbye with a FIN once everything was read.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
        return self.incomplete()

    def close(self) -> web.StreamResponse:
        """Close the connection (FIN) in the middle of the reply."""
        self._transport().close()
        return self.incomplete()

    def incomplete(self) -> web.StreamResponse:
        """End the reply here, though it is not whole."""
        self.record.outcome = "cut"
        return self._response or web.Response()

    def _transport(self) -> asyncio.Transport:
        if self._request.transport is None:
            raise ConnectionResetError("the client has gone")
        return self._request.transport


def as_response(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """The reply as it is sent, with ``headers`` beside its own."""
    merged = {**headers, **reply.headers, "content-type": reply.content_type}
    return web.Response(status=reply.status, body=reply.body, headers=merged)
