"""The body of a wrapped client's stream, as the SDK reads it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx2

from failsoft.engine.portal import Portal
from failsoft.engine.wrapping.calls import Streamed
from failsoft.engine.wrapping.told import ANSWER

__all__ = ["AsyncBody", "BlockingBody", "with_body"]

# They were true of the bytes on the wire; these are unpacked.
_OF_THE_WIRE = ("content-encoding", "content-length")


def with_body(begun: Streamed, body: AsyncBody | BlockingBody) -> Any:
    """The SDK's reply with ``body`` in place of the wire's."""
    http = begun.reply.http
    headers = [(name, value) for name, value in http.headers.multi_items()]
    response = httpx2.Response(
        http.status_code,
        headers=[(name, value) for name, value in headers if name.lower() not in _OF_THE_WIRE],
        stream=body,
        request=http.request,
        extensions=http.extensions,
    )
    response.history = http.history
    body.response = response
    given = begun.reply.hand_over()
    given.http_response = response
    return given


class _Body:
    """What both have. Dropping it unread ends the request, as closing it does."""

    def __init__(self, begun: Streamed) -> None:
        self.response: httpx2.Response | None = None
        self._begun = begun
        self._since = time.perf_counter()

    def _took(self, chunk: bytes) -> bytes:
        conclusion = self._begun.pipe.conclusion
        if conclusion is not None and self.response is not None:
            self.response.extensions[ANSWER] = conclusion[0]
        return chunk

    def _closing(self) -> None:
        if self.response is not None:
            self.response.elapsed = timedelta(seconds=time.perf_counter() - self._since)

    def __del__(self) -> None:
        self._begun.cancel()


class AsyncBody(_Body, httpx2.AsyncByteStream):
    """The body of an ``AsyncAnthropic``'s stream."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self._took(await self._begun.pipe.take()):
            yield chunk

    async def aclose(self) -> None:
        """End the request, wherever it is."""
        self._closing()
        await self._begun.aclose()


class BlockingBody(_Body, httpx2.SyncByteStream):
    """The body of an ``Anthropic``'s stream."""

    def __init__(self, begun: Streamed, portal: Portal) -> None:
        super().__init__(begun)
        self._portal = portal
        self._loop = portal.loop()

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._took(self._portal.wait(self._begun.pipe.take())):
            yield chunk

    def close(self) -> None:
        """End the request, wherever it is."""
        self._closing()
        if self._portal.runs(self._loop):
            self._portal.wait(self._begun.aclose())
