"""An answer as a stream of typed events, with back-pressure up to the provider."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Protocol, Self

from failsoft.classify.verdict import Verdict
from failsoft.engine.answer import (
    Answer,
    DegradationLevel,
    Phase,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamStart,
    StreamStatus,
    StreamText,
)
from failsoft.engine.deadline import running_loop
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import Request, Turn
from failsoft.engine.runtime import Runtime
from failsoft.notices import Catalogue, notice_for

__all__ = ["AnswerStream", "Outlet", "Pump"]


# The steps of the ladder that have an answer of their own.
_BELOW = (DegradationLevel.CACHED, DegradationLevel.RULE)


class Outlet(Protocol):
    """Where events go. Giving one never waits; :meth:`room` does, while :attr:`full`."""

    @property
    def full(self) -> bool:
        """Whether its readers are behind: the provider is then not read from."""
        ...

    def give(self, event: StreamEvent) -> None:
        """Take one event."""
        ...

    async def room(self) -> None:
        """Return once it is not full."""
        ...


class Pump:
    """One request's way into an :class:`Outlet`. :meth:`run` may be called once."""

    def __init__(
        self, runtime: Runtime, request: Request, catalogue: Catalogue, outlet: Outlet
    ) -> None:
        self._runtime = runtime
        self._request = request
        self._catalogue = catalogue
        self._outlet = outlet
        self._tokens = 0

    async def run(self) -> None:
        """Carry the request out; its last event is terminal.

        Cancellation passes straight through, and no event is given then.
        """
        self._outlet.give(StreamStart(self._request.id))
        answer = await carry_out(Turn(self._runtime, self._request, self._catalogue, self))
        if answer.level in _BELOW and answer.notice is not None:
            self._outlet.give(StreamStatus("degraded", answer.notice, answer.retry_in_seconds))
            if self._outlet.full:
                await self._outlet.room()
            self.text(answer.text)
        self._outlet.give(self._terminal(answer))

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the readers."""
        return self._outlet.full

    async def room(self) -> None:
        """Return once it is not full."""
        await self._outlet.room()

    def text(self, text: str) -> None:
        """Give out some text."""
        self._tokens += 1
        self._outlet.give(StreamText(text))

    def hopping(self) -> None:
        """Another target is being tried."""
        notice = self._catalogue.notice(
            "switching", reference=self._request.id, locale=self._request.locale
        )
        self._outlet.give(StreamStatus("switching", notice, None))

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""
        if verdict is None:
            return
        phase: Phase = "retrying" if why in ("backoff", "turn") else "waiting"
        notice = notice_for(
            verdict,
            catalogue=self._catalogue,
            reference=self._request.id,
            locale=self._request.locale,
            retry_in_seconds=seconds,
            retrying=True,
        )
        self._outlet.give(StreamStatus(phase, notice, seconds))

    def _terminal(self, answer: Answer) -> StreamEvent:
        if answer.status == "success":
            return StreamDone(answer, self._tokens)
        if answer.finish == "interrupted":
            return StreamInterrupted(answer, self._tokens, len(answer.text))
        return StreamError(answer)


# Events waiting for the reader before the provider is no longer read from: a few screens of text.
_BUFFERED_EVENTS = 256


class AnswerStream:
    """An asynchronous iterator of events, and a context manager that ends it.

    The request starts with the first event asked for. Leaving early, by closing, cancelling or
    dropping the stream, cancels it at the provider.
    """

    def __init__(self, runtime: Runtime, request: Request, catalogue: Catalogue) -> None:
        self._runtime = runtime
        self._request = request
        self._catalogue = catalogue
        self._buffer: _Buffer | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def request_id(self) -> str:
        """The id a person gives support."""
        return self._request.id

    async def into(self, outlet: Outlet) -> None:
        """Run the request in this task and give its events to ``outlet``, in place of iterating.

        Cancelling the task cancels the request at the provider; no terminal event is given then.
        """
        if self._ended or self._task is not None:
            raise RuntimeError("this stream is being read already; ask again for another one")
        self._ended = True
        await Pump(self._runtime, self._request, self._catalogue, outlet).run()

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
        pump = Pump(self._runtime, self._request, self._catalogue, buffer)
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
