"""An answer as a stream of typed events, with back-pressure up to the provider."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from failsoft.engine.answer import StreamDone, StreamError, StreamEvent, StreamInterrupted
from failsoft.engine.call import Request
from failsoft.engine.clock import running_loop
from failsoft.engine.core import Core
from failsoft.engine.pump import Outlet, Pump
from failsoft.notices import Catalogue

__all__ = ["AnswerStream"]

# Events waiting for the reader before the provider is no longer read from: a few screens of text.
_BUFFERED_EVENTS = 256


class AnswerStream:
    """An asynchronous iterator of events, and a context manager that ends it.

    The request starts with the first event asked for. Leaving early, by closing, cancelling or
    dropping the stream, cancels it at the provider.
    """

    def __init__(self, core: Core, request: Request, catalogue: Catalogue) -> None:
        self._core = core
        self._request = request
        self._catalogue = catalogue
        self._buffer: _Buffer | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def request_id(self) -> str:
        """The id a person tells support."""
        return self._request.id

    async def into(self, outlet: Outlet) -> None:
        """Run the request in this task and give its events to ``outlet``, in place of iterating.

        Cancelling the task cancels the request at the provider; no terminal event is given then.
        """
        if self._ended or self._task is not None:
            raise RuntimeError("this stream is being read already; ask again for another one")
        self._ended = True
        await Pump(self._core, self._request, self._catalogue, outlet).run()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._ended:
            raise StopAsyncIteration
        buffer = self._buffer or self._begin()
        try:
            event = await buffer.take()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except BaseException:
            self._ended = True
            raise
        if isinstance(event, StreamDone | StreamInterrupted | StreamError):
            self._ended = True
        return event

    def _begin(self) -> _Buffer:
        loop = running_loop()
        buffer = self._buffer = _Buffer()
        pump = Pump(self._core, self._request, self._catalogue, buffer)
        self._task = loop.create_task(buffer.fill(pump))
        return buffer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the request, wherever it is; returns once nothing of it is left. Idempotent."""
        self._ended = True
        task = self._task
        if task is None:
            return
        task.cancel()
        await asyncio.wait((task,))

    def __del__(self) -> None:
        task = self._task
        if task is not None and not task.done() and not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)


class _Buffer:
    """Events between the task that runs the request and the one that reads them."""

    def __init__(self) -> None:
        self._events: deque[StreamEvent] = deque()
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        return len(self._events) >= _BUFFERED_EVENTS

    def give(self, event: StreamEvent) -> None:
        self._events.append(event)
        self._changed.set()

    async def room(self) -> None:
        while self.full:
            self._changed.clear()
            await self._changed.wait()

    async def take(self) -> StreamEvent:
        while not self._events:
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()
        self._changed.set()
        return self._events.popleft()

    async def fill(self, pump: Pump) -> None:
        """Run ``pump``; what it raises, the reader gets, in its own task."""
        try:
            await pump.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again where it is read
            self._failure = error
            self._changed.set()
