"""Bodies of replies: read no further than an answer may go, or in place of the wire's."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2

from failsoft.engine.blocking import Portal
from failsoft.wrap.answer_of import ANSWER
from failsoft.wrap.pipe import Streamed

__all__ = [
    "AsyncBody",
    "BlockingBody",
    "replaced",
]

# They were true of the bytes on the wire; these are unpacked.
_OF_THE_WIRE = ("content-encoding", "content-length")


def replaced(http: httpx2.Response, stream: Any) -> httpx2.Response:
    """``http`` with another body, that is not packed."""
    headers = [(name, value) for name, value in http.headers.multi_items()]
    response = httpx2.Response(
        http.status_code,
        headers=[(name, value) for name, value in headers if name.lower() not in _OF_THE_WIRE],
        stream=stream,
        request=http._request,  # noqa: SLF001 - what middleware made from bytes may have none
        extensions=http.extensions,
    )
    response.history = http.history
    return response


def _no_response() -> None:
    """A reference to no response, until there is one."""


class _Body:
    """What both have. Dropping it unread ends the request, as closing it does.

    The response holds the body. The body's own reference to it is weak: a cycle would leave it to
    the garbage collector when a dropped stream ends.
    """

    def __init__(self, begun: Streamed) -> None:
        self.response: Callable[[], httpx2.Response | None] = _no_response
        self._begun = begun
        self._since = time.perf_counter()

    def _took(self, chunk: bytes) -> bytes:
        conclusion = self._begun.pipe.conclusion
        if conclusion is not None and (response := self.response()) is not None:
            response.extensions[ANSWER] = conclusion[0]
        return chunk

    def _closing(self) -> None:
        if (response := self.response()) is not None:
            response.elapsed = timedelta(seconds=time.perf_counter() - self._since)

    def __del__(self) -> None:
        self._begun.cancel()


class AsyncBody(_Body, httpx2.AsyncByteStream):
    """The body of an asynchronous client's stream."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self._took(await self._begun.pipe.take()):
            yield chunk

    async def aclose(self) -> None:
        """End the request, wherever it is."""
        self._closing()
        await self._begun.aclose()


class BlockingBody(_Body, httpx2.SyncByteStream):
    """The body of a blocking client's stream."""

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
