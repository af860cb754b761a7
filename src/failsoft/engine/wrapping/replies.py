"""The SDK's replies as the engine reads them: from an event loop, or from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import copy_context
from copy import copy
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, TypeVar

import httpx2
from anthropic import APIRequest

__all__ = ["AsyncReply", "AttemptThread", "BlockingReply"]

T = TypeVar("T")

# The SDK's own default.
_CONNECT_SECONDS = 5.0


class _SdkReply:
    """What both have.

    ``heard`` is what came of a stream and was not shown to the caller yet; ``reading`` is called
    before more of it is read.
    """

    reading: Callable[[], None] | None = None

    def __init__(self, response: Any, *, stream: bool) -> None:
        self.response = response
        self.http: httpx2.Response = response.http_response
        self.status: int = self.http.status_code
        self.headers: Mapping[str, str] = dict(self.http.headers.items())
        self.ended = False
        self.heard: list[bytes] = []
        # An error's body has to stay with the SDK, which makes its exception of it.
        self.in_parts = stream and self.status == HTTPStatus.OK

    def hand_over(self) -> Any:
        """The SDK's object, which is the caller's from now on: dropped there, it is gone."""
        response, self.response = self.response, None
        return response

    def _got(self, chunk: bytes | None) -> bytes:
        if chunk is None:
            self.ended = True
            return b""
        if self.in_parts:
            self.heard.append(chunk)
        else:
            self.ended = True
        return chunk


class AsyncReply(_SdkReply):
    """The reply of an ``AsyncAnthropic``."""

    _chunks: AsyncIterator[bytes] | None = None

    async def read(self) -> bytes:
        """See :class:`~failsoft.providers.protocol.Reply`."""
        if self.reading is not None:
            self.reading()
        if self.ended:
            return b""
        try:
            return self._got(await self._next())
        except Exception as error:
            raise _broken(error) from error

    async def _next(self) -> bytes | None:
        if not self.in_parts:
            return await self.http.aread()
        if self._chunks is None:
            self._chunks = self.http.aiter_bytes()
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return None

    async def free(self) -> None:
        """Let go of the connection at once. Idempotent."""
        await self.http.aclose()


class AttemptThread:
    """The thread of one attempt of an ``Anthropic``: its calls block, and one waits for another.

    What is given up is left to end by itself: ``seconds`` bound its silence.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="failsoft-attempt", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises, in the thread and in the caller's context."""
        done: asyncio.Future[T] = self._loop.create_future()
        context = copy_context()
        self._work.put(lambda: self._do(lambda: context.run(work), done))
        return await done

    def end(self, last: Callable[[], None] | None = None) -> None:
        """Do ``last`` after all else, and end. Returns at once."""
        if last is not None:
            self._work.put(last)
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def _do(self, work: Callable[[], T], done: asyncio.Future[T]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._tell(_fail, done, error)
        else:
            self._tell(_succeed, done, result)

    def _tell(self, how: Callable[[asyncio.Future[T], Any], None], *told: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(how, *told)


class BlockingReply(_SdkReply):
    """The reply of an ``Anthropic``, read in the thread of its attempt."""

    _chunks: Iterator[bytes] | None = None

    def __init__(self, response: Any, thread: AttemptThread, *, stream: bool) -> None:
        super().__init__(response, stream=stream)
        self._thread = thread
        self._freed = False

    @classmethod
    async def of(
        cls, call_next: Callable[[APIRequest], Any], request: APIRequest, seconds: float | None
    ) -> BlockingReply:
        """The reply to ``request``; raises what the SDK raises.

        Nobody can end a call in another thread, so its silence is bounded by ``seconds`` too.
        """
        thread, came = AttemptThread(), list[Any]()

        def call() -> Any:
            came.append(call_next(_bounded(request, seconds)))
            return came[0]

        try:
            response = await thread.do(call)
        except BaseException:
            thread.end(lambda: _close_all(came))
            raise
        return cls(response, thread, stream=request.stream)

    async def read(self) -> bytes:
        """See :class:`~failsoft.providers.protocol.Reply`."""
        if self.reading is not None:
            self.reading()
        if self.ended:
            return b""
        if self.http.is_closed and not self.in_parts:  # it is all here
            return self._got(self.http.read())
        try:
            return self._got(await self._thread.do(self._next))
        except Exception as error:
            raise _broken(error) from error

    def _next(self) -> bytes | None:
        if not self.in_parts:
            return self.http.read()
        if self._chunks is None:
            self._chunks = self.http.iter_bytes()
        return next(filter(None, self._chunks), None)

    async def free(self) -> None:
        """Let go of the connection as soon as nothing reads from it. Idempotent."""
        if not self._freed:
            self._freed = True
            self._thread.end(self.http.close)


def _bounded(request: APIRequest, seconds: float | None) -> APIRequest:
    """The same request, with no limit of its connection longer than ``seconds``."""
    if seconds is None:
        return request
    own = request.timeout
    limits = own.as_dict() if isinstance(own, httpx2.Timeout) else {}
    if isinstance(own, float | int):
        seconds = min(seconds, own)
    bounded = copy(request)
    bounded.options = copy(request.options)
    bounded.options.timeout = httpx2.Timeout(
        connect=min(seconds, limits.get("connect") or _CONNECT_SECONDS),
        **{name: min(seconds, limits.get(name) or seconds) for name in ("read", "write", "pool")},
    )
    return bounded


def _close_all(responses: list[Any]) -> None:
    for response in responses:
        response.close()


def _broken(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else ConnectionError(f"{error!r}")


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
