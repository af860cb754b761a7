"""The same calls for code without an event loop, run on the asynchronous engine in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self, TypeVar

from failsoft.engine.answer import Answer, StreamEvent
from failsoft.engine.client import Failsoft
from failsoft.errors import FailsoftError

__all__ = ["BlockingFailsoft"]

T = TypeVar("T")


class BlockingFailsoft:
    """:class:`~failsoft.engine.client.Failsoft` with the same names and arguments, blocking.

        with BlockingFailsoft() as ai:
            print(ai.ask("What is an escrow account?").text)

    It owns one thread with one event loop, started at the first call; safe to share between
    threads. An interrupt (``KeyboardInterrupt``) cancels the call that was waited for.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._ai = Failsoft(*args, **settings)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, *args: Any, **arguments: Any) -> Answer:
        """:meth:`Failsoft.ask`."""
        return self._wait(self._ai.ask(*args, **arguments))

    def complete(self, **arguments: Any) -> Answer:
        """:meth:`Failsoft.complete`."""
        return self._wait(self._ai.complete(**arguments))

    def stream(self, *args: Any, **arguments: Any) -> Iterator[StreamEvent]:
        """:meth:`Failsoft.stream`, as a plain generator; closing it cancels the request."""
        stream = self._ai.stream(*args, **arguments)
        try:
            while (event := self._wait(_next(stream.__anext__()))) is not None:
                yield event
        finally:
            if not self._closed:
                self._wait(stream.aclose())

    def health(self) -> dict[str, Any]:
        """:meth:`Failsoft.health`."""
        return self._ai.health()

    def close(self) -> None:
        """Close every connection and end the thread. Idempotent."""
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._ai.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            loop = self._running_loop()
        except BaseException:
            work.close()
            raise
        # The caller's context goes along: an inherited deadline holds in the other thread too.
        context = copy_context()
        future = asyncio.run_coroutine_threadsafe(_in_context(work, context), loop)
        try:
            return future.result()
        except CancelledError:
            raise
        except BaseException:
            future.cancel()
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise FailsoftError("this BlockingFailsoft is closed; make a new one")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="failsoft", daemon=True
                )
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _in_context(work: Coroutine[Any, Any, T], context: Any) -> T:
    return await asyncio.get_running_loop().create_task(work, context=context)


async def _next(event: Coroutine[Any, Any, StreamEvent]) -> StreamEvent | None:
    try:
        return await event
    except StopAsyncIteration:
        return None
