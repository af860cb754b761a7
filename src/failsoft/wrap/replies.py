"""The SDK's replies as the engine reads them, from an event loop or from a thread.

A wrapped client's stream passes from the engine to the SDK through the pipe here.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import copy_context
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, TypeVar

from anthropic import APIRequest

from failsoft.classify.verdict import Verdict
from failsoft.classify.wire_errors import Stopped, StreamFailed
from failsoft.engine.answer import Answer
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import Turn
from failsoft.providers.sdk import SdkProvider
from failsoft.wrap.attempts import (
    SdkAttempt,
    asked_blocking,
    http_of,
    read_bounded,
    read_bounded_blocking,
)

__all__ = ["AsyncReply", "AttemptThread", "BlockingReply", "Pipe", "Reply", "tells_itself"]

T = TypeVar("T")


class _SdkReply:
    """What both have. ``reading`` is called before more of it is read."""

    reading: Callable[[], None] | None = None

    def __init__(self, response: Any, attempt: SdkAttempt) -> None:
        self.response = response
        self.http = http_of(response)
        self._attempt = attempt
        self.status: int = self.http.status_code
        self.headers: Mapping[str, str] = dict(self.http.headers.items())
        self.ended = False
        # An error's body has to stay with the SDK, which makes its exception of it.
        self.in_parts = attempt.request.stream and self.status == HTTPStatus.OK

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
    """The thread of one attempt of an ``Anthropic``: its calls block, and one waits for another.

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


class BlockingReply(_SdkReply):
    """The reply of an ``Anthropic``, read in the thread of its attempt."""

    _chunks: Iterator[bytes] | None = None

    def __init__(self, response: Any, attempt: SdkAttempt, thread: AttemptThread) -> None:
        super().__init__(response, attempt)
        self._thread = thread
        self._freed = False

    @classmethod
    async def of(cls, call_next: Callable[[APIRequest], Any], attempt: SdkAttempt) -> BlockingReply:
        """The reply to ``attempt``; raises what the SDK raises."""
        thread, came = AttemptThread(), list[Any]()

        def call() -> Any:
            came.append(asked_blocking(call_next, attempt))
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
Conclusion = tuple[Answer, Turn]

# Chunks waiting for the reader before the provider is no longer read from.
_BUFFERED_CHUNKS = 256


class Pipe:
    """The bytes of one answer. Nothing is let through before the first content.

    It is the driver's :class:`~failsoft.engine.request.Reader`. There is a ``conclusion``
    at the end.
    """

    def __init__(self, provider: SdkProvider[Reply]) -> None:
        self._provider = provider
        self._chunks: deque[bytes] = deque()
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._over = False
        self.opened = False
        self.conclusion: Conclusion | None = None

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the reader."""
        return len(self._chunks) >= _BUFFERED_CHUNKS

    async def room(self) -> None:
        """Return once it is not full."""
        while self.full:
            await self._wait()

    def text(self, text: str) -> None:  # noqa: ARG002 - its bytes are at hand
        """Let through what came of the reply as soon as all of it was looked at.

        That is when more is read: who is shown an error before the engine has seen it would end
        the request, which then had no failure.
        """
        if (reply := self._provider.latest) is not None:
            reply.reading = self._flush
        self.opened = True
        self._changed.set()

    def hopping(self) -> None:
        """Another target is being tried."""

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""

    async def run(
        self,
        turn: Turn,
        failed: Callable[[Answer, Turn], BaseException],
    ) -> None:
        """Carry the request out to its end.

        ``failed`` makes the exception that the reader gets where the answer broke off.
        """
        try:
            answer = await carry_out(turn)
            self.conclusion = answer, turn
            if answer.status == "success" or tells_itself(self._provider, answer, turn):
                self._flush()
            elif self.opened:
                self._flush()
                self._failure = failed(answer, turn)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised where it is read
            self._failure = error
        finally:
            self._over = True
            self._changed.set()

    async def begun(self) -> None:
        """Return once there is something to read, or nothing will come.

        Raises what the request raised, where that is no failure of a model.
        """
        while not (self.opened or self._over):
            await self._wait()
        if self._failure is not None and not self.opened:
            raise self._failure

    async def take(self) -> bytes:
        """The next bytes, empty at the end; raises where the answer broke off."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._over:
                return b""
            await self._wait()
        taken = b"".join(self._chunks)
        self._chunks.clear()
        self._changed.set()
        return taken

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _flush(self) -> None:
        """Let through the events that the engine has read."""
        if events := self._provider.events:
            self._chunks.append(b"".join(events))
            events.clear()
        self._changed.set()


def tells_itself(provider: SdkProvider[Reply], answer: Answer, turn: Turn) -> bool:
    """Whether the SDK makes of the bytes what it would have made without failsoft.

    So it is with a refusal, which is a whole message, and with an ``error`` event.
    """
    cause = turn.cause(answer.verdict)
    return isinstance(cause, Stopped | StreamFailed) and provider.reply_with(cause) is not None
