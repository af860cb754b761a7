"""The same calls for code without an event loop, run on the asynchronous engine in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextvars import Context, copy_context
from functools import update_wrapper
from random import Random
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from failsoft.config.settings import Settings
from failsoft.engine.answer import StreamEvent
from failsoft.engine.client import Failsoft
from failsoft.engine.stream import AnswerStream
from failsoft.errors import FailsoftError
from failsoft.forks import in_every_child
from failsoft.providers.protocol import Provider
from failsoft.telemetry.events import Event

__all__ = ["BlockingFailsoft", "Portal"]


T = TypeVar("T")
P = ParamSpec("P")


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
        if self._thread is not threading.current_thread():  # any thread may drop the last reference
            self._thread.join()

    def __del__(self) -> None:
        """End the thread of one that was dropped and not closed."""
        loop = getattr(self, "_loop", None)
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)

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


def _blocking(
    method: Callable[Concatenate[Failsoft, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BlockingFailsoft, P], T]:
    """``method``, blocking; its arguments, types and documentation are the same."""

    def call(self: BlockingFailsoft, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._portal.wait(method(self._ai, *args, **kwargs))

    update_wrapper(call, method)
    return call


def _iterated(
    method: Callable[Concatenate[Failsoft, P], AnswerStream],
) -> Callable[Concatenate[BlockingFailsoft, P], Generator[StreamEvent, None, None]]:
    """``method`` as a generator; to close it cancels the request."""

    def call(
        self: BlockingFailsoft, /, *args: P.args, **kwargs: P.kwargs
    ) -> Generator[StreamEvent, None, None]:
        portal, stream = self._portal, method(self._ai, *args, **kwargs)
        loop = portal.loop()
        try:
            while (event := portal.wait(_next(stream.__anext__()))) is not None:
                yield event
        finally:
            if portal.runs(loop):  # not after closing, nor in a child of who began it
                portal.wait(stream.aclose())

    update_wrapper(call, method)
    return call


class BlockingFailsoft:
    """:class:`~failsoft.engine.client.Failsoft` for code without a loop, by the same names.

        with BlockingFailsoft() as ai:
            print(ai.ask("What is an escrow account?").text)

    It owns one thread with one event loop, started at the first call; safe to share between
    threads, and to use in a process that was forked: a child has a thread of its own. An interrupt
    (``KeyboardInterrupt``) cancels the call that was waited for.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        chain: Sequence[str] | None = None,
        providers: Mapping[str, Provider] | None = None,
        on_event: Callable[[Event], None] | None = None,
        rng: Random | None = None,
    ) -> None:
        self._ai = Failsoft(settings, chain=chain, providers=providers, on_event=on_event, rng=rng)
        self._portal = Portal("BlockingFailsoft")

    ask = _blocking(Failsoft.ask)
    """Ask one question, as :meth:`~failsoft.engine.client.Failsoft.ask` does."""

    complete = _blocking(Failsoft.complete)
    """Send the provider's fields, as :meth:`~failsoft.engine.client.Failsoft.complete` does."""

    stream = _iterated(Failsoft.stream)
    """Read the answer while it comes, with the arguments and events of
    :meth:`~failsoft.engine.client.Failsoft.stream`; closing the generator cancels the request."""

    def health(self) -> dict[str, Any]:
        """The state of the service, as :meth:`~failsoft.engine.client.Failsoft.health` gives it."""
        return self._ai.health()

    def close(self) -> None:
        """Close every connection and end the thread. Idempotent."""
        self._portal.close(self._ai.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def _next(event: Coroutine[Any, Any, StreamEvent]) -> StreamEvent | None:
    try:
        return await event
    except StopAsyncIteration:
        return None
