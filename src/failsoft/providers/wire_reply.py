"""A reply as aiohttp brings it."""

from __future__ import annotations

import aiohttp

from failsoft.providers.lost import fail_when_lost

__all__ = ["WireReply"]


class WireReply:
    """The :class:`~failsoft.providers.protocol.Reply` of failsoft's own connections."""

    __slots__ = ("_body", "_response", "headers", "read", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        fail_when_lost(response)
        self._response = response
        self._body = response.content
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.read = response.content.readany

    @property
    def ended(self) -> bool:
        """Whether the whole body is in."""
        return self._body.at_eof()

    async def free(self) -> None:
        """Let go of the connection at once. Idempotent."""
        connection = self._response.connection  # None once the body has ended
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # close() would wait for the other side of TLS
        self._response.close()
