"""A thread with an event loop, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from contextvars import Context, copy_context
from typing import Any, TypeVar

from failsoft.errors import FailsoftError

__all__ = ["Portal"]

T = TypeVar("T")


class Portal:
    """One thread with one event loop, started at the first call; safe to share between threads.

    ``owner`` is what its user knows it as, for the error once it is closed.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.closed = False

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` returns or raises; an interrupt while waiting cancels it.

        Raises :class:`~failsoft.errors.FailsoftError` once it is closed.
        """
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

    def close(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """Do ``last`` in the loop if it ever ran, and end the thread. Idempotent."""
        with self._lock:
            self.closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        if last is not None:
            asyncio.run_coroutine_threadsafe(_awaited(last), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not threading.current_thread():  # whoever drops it last may be anywhere
            self._thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self.closed:
                raise FailsoftError(f"this {self._owner} is closed; make a new one")
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


async def _in_context(work: Coroutine[Any, Any, T], context: Context) -> T:
    return await asyncio.get_running_loop().create_task(work, context=context)


async def _awaited(last: Callable[[], Awaitable[None]]) -> None:
    await last()
