"""A thread with an event loop, for callers that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from contextvars import Context, copy_context
from typing import Any, TypeVar

from failsoft.errors import FailsoftError
from failsoft.forks import in_every_child

__all__ = ["Portal"]

T = TypeVar("T")


class Portal:
    """One thread with one event loop, started at the first call; safe to share between threads.

    A process that was forked has a thread of its own. ``owner`` is what its user knows it as.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        # What a parent's thread holds open is the parent's: to let go of it here would close it.
        self._forsaken: asyncio.AbstractEventLoop | None = None
        in_every_child(self._forked)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` returns or raises; an interrupt while waiting cancels it.

        Raises :class:`~failsoft.errors.FailsoftError` once it is closed, and in its own thread.
        """
        try:
            loop = self.loop()
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
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        if last is not None:
            asyncio.run_coroutine_threadsafe(_awaited(last), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not threading.current_thread():  # whoever drops it last may be anywhere
            self._thread.join()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Its loop, which runs; raises as :meth:`wait` does."""
        with self._lock:
            if self._closed:
                raise FailsoftError(f"this {self._owner} is closed; make a new one")
            if threading.current_thread() is self._thread:
                raise FailsoftError(
                    f"this {self._owner} was called in its own thread, from a subscriber to its "
                    "events perhaps, and would wait for itself; call it from another thread"
                )
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop,), name="failsoft", daemon=True
                )
                self._thread.start()
            return self._loop

    def runs(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether that is its loop still: not once it is closed, nor in a child of a fork."""
        return self._loop is loop

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._forsaken, self._loop = self._loop, None
        self._thread = None


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
