"""An SDK's replies as the engine reads them, from an event loop or from a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from contextvars import copy_context
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, TypeVar

import httpx2

from failsoft.wrap.attempts import ClientAttempt

__all__ = [
    "AsyncReply",
    "AttemptThread",
    "BlockingReply",
    "Reply",
    "http_of",
    "read_bounded",
    "read_bounded_blocking",
]

T = TypeVar("T")


class _ClientReply:
    """What both have. ``reading`` is called before more of it is read."""

    reading: Callable[[], None] | None = None

    def __init__(self, response: Any, attempt: ClientAttempt) -> None:
        self.response = response
        self.http = http_of(response)
        self._attempt = attempt
        self.status: int = self.http.status_code
        self.headers: Mapping[str, str] = dict(self.http.headers.items())
        self.ended = False
        # An error's body has to stay with the SDK, which makes its exception of it.
        self.in_parts = attempt.streams and self.status == HTTPStatus.OK

    def hand_over(self) -> Any:
        """The SDK's object, which is the caller's from now on: dropped there, it is gone."""
        response, self.response = self.response, None
        return response

    def _broken(self, error: Exception) -> Exception:
        if self.status == HTTPStatus.OK and (expired := self._attempt.expired(error)):
            return expired
        return error if isinstance(error, OSError) else ConnectionError(f"{error!r}")

    def _got(self, chunk: bytes | None) -> bytes:
        if chunk is None:
            self.ended = True
            return b""
        self.ended = not self.in_parts
        return chunk


class AsyncReply(_ClientReply):
    """The reply of an asynchronous client."""

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
            raise self._broken(error) from error

    async def _next(self) -> bytes | None:
        if not self.in_parts:
            return await read_bounded(self.http, self._attempt.max_bytes)
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
    """The thread of one attempt of a blocking client: its calls block, and one waits for another.

    A call given up is left to end by itself: ``seconds`` bound its silence.
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


class BlockingReply(_ClientReply):
    """The reply of a blocking client, read in the thread of its attempt."""

    _chunks: Iterator[bytes] | None = None

    def __init__(self, response: Any, attempt: ClientAttempt, thread: AttemptThread) -> None:
        super().__init__(response, attempt)
        self._thread = thread
        self._freed = False

    @classmethod
    async def of(cls, ask: Callable[[], Any], attempt: ClientAttempt) -> BlockingReply:
        """The reply to ``attempt``, which ``ask`` makes; raises what that raises."""
        thread, came = AttemptThread(), list[Any]()

        def call() -> Any:
            came.append(ask())
            return came[0]

        try:
            response = await thread.do(call)
        except BaseException:
            thread.end(lambda: _close_all(came))
            raise
        return cls(response, attempt, thread)

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
            raise self._broken(error) from error

    def _next(self) -> bytes | None:
        if not self.in_parts:
            return read_bounded_blocking(self.http, self._attempt.max_bytes)
        if self._chunks is None:
            self._chunks = self.http.iter_bytes()
        return next(filter(None, self._chunks), None)

    async def free(self) -> None:
        """Let go of the connection as soon as nothing reads from it. Idempotent."""
        if not self._freed:
            self._freed = True
            self._thread.end(self.http.close)


def _close_all(responses: list[Any]) -> None:
    for response in responses:
        http_of(response).close()


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


Reply = AsyncReply | BlockingReply


def http_of(response: Any) -> httpx2.Response:
    """The reply itself: an SDK may give it in a response of its own."""
    return response if isinstance(response, httpx2.Response) else response.http_response


async def read_bounded(http: httpx2.Response, max_bytes: int) -> bytes:
    """The body, unpacked; of a larger one as much as shows that it is larger."""
    if _is_read(http):
        return http.content
    parts = list[bytes]()
    try:
        async with aclosing(http.aiter_bytes()) as chunks:
            left = max_bytes
            async for chunk in chunks:
                parts.append(chunk)
                left -= len(chunk)
                if left < 0:
                    break
    finally:
        await http.aclose()
    return _keep(http, parts)


def read_bounded_blocking(http: httpx2.Response, max_bytes: int) -> bytes:
    """The same for a blocking client."""
    if _is_read(http):
        return http.content
    parts = list[bytes]()
    with closing(http):
        left = max_bytes
        for chunk in http.iter_bytes():
            parts.append(chunk)
            left -= len(chunk)
            if left < 0:
                break
    return _keep(http, parts)


def _is_read(http: httpx2.Response) -> bool:
    return hasattr(http, "_content")


def _keep(http: httpx2.Response, parts: list[bytes]) -> bytes:
    http._content = b"".join(parts)  # noqa: SLF001 - as its own read() does
    return http._content  # noqa: SLF001
