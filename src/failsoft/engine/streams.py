"""An answer as a stream of typed events, with back-pressure up to the provider."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from failsoft.classify.verdict import Verdict
from failsoft.engine.admission import RouteFullError
from failsoft.engine.answer import (
    Answer,
    Phase,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamStart,
    StreamStatus,
    StreamText,
)
from failsoft.engine.answering import answer_for, saturated
from failsoft.engine.call import Request
from failsoft.engine.clock import monotonic
from failsoft.engine.core import Core
from failsoft.engine.driver import Driver
from failsoft.engine.report import Reporter
from failsoft.notices import Catalogue, notice_for

__all__ = ["AnswerStream"]

# Events waiting for the reader before the provider is no longer read from: a few screens of text.
_BUFFERED_EVENTS = 256


class AnswerStream:
    """An asynchronous iterator of events, and a context manager that ends it.

    The request starts with the first event asked for. Leaving early, by closing, cancelling or
    dropping the stream, cancels it at the provider.
    """

    def __init__(self, core: Core, request: Request, catalogue: Catalogue) -> None:
        self._pump = _Pump(core, request, catalogue)
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def request_id(self) -> str:
        """The id a person tells support."""
        return self._pump.request.id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._ended:
            raise StopAsyncIteration
        if self._task is None:
            self._task = asyncio.create_task(self._pump.run())
        try:
            event = await self._pump.queue.get()
        except BaseException:
            await self.aclose()
            raise
        if isinstance(event, StreamDone | StreamInterrupted | StreamError):
            self._ended = True
        elif isinstance(event, BaseException):
            self._ended = True
            raise event
        return event

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


class _Pump:
    """Runs the request in a task of its own and hands its events to the reader."""

    def __init__(self, core: Core, request: Request, catalogue: Catalogue) -> None:
        self.request = request
        self.queue: asyncio.Queue[StreamEvent | BaseException] = asyncio.Queue(_BUFFERED_EVENTS)
        self._core = core
        self._catalogue = catalogue
        self._tokens = 0

    @property
    def full(self) -> bool:
        return self.queue.full()

    async def text(self, text: str) -> None:
        self._tokens += 1
        event = StreamText(text)
        if self.queue.full():
            await self.queue.put(event)
        else:
            self.queue.put_nowait(event)

    def hopping(self, verdict: Verdict) -> None:
        self._status("switching", verdict, None)

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        if verdict is not None:
            self._status("retrying" if why == "backoff" else "waiting", verdict, seconds)

    def _status(self, phase: Phase, verdict: Verdict, seconds: float | None) -> None:
        notice = notice_for(
            verdict,
            catalogue=self._catalogue,
            reference=self.request.id,
            locale=self.request.locale,
            retry_in_seconds=seconds,
            retrying=True,
        )
        if not self.queue.full():
            self.queue.put_nowait(StreamStatus(phase, notice, seconds))

    async def run(self) -> None:
        """The whole request; its last event is terminal, whatever happens."""
        try:
            await self.queue.put(await self._answer())
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the reader gets it, in its own task
            await self.queue.put(error)

    async def _answer(self) -> StreamEvent:
        core, request = self._core, self.request
        report = Reporter(core, request)
        route = core.route(request.route)
        self.queue.put_nowait(StreamStart(request.id))
        try:
            driver = Driver(core, request, report, self)
            place = await route.enter(request.times)
            try:
                report.started(stream=True)
                ending = await driver.run()
            finally:
                route.leave(place)
        except RouteFullError:
            answer = saturated(core, request, self._catalogue)
        except BaseException:
            report.cancelled()
            raise
        else:
            answer = answer_for(
                core, request, ending, self._catalogue, hops=report.hops, now=monotonic()
            )
        report.finished(answer, monotonic())
        return self._terminal(answer)

    def _terminal(self, answer: Answer) -> StreamEvent:
        if answer.status == "success":
            return StreamDone(answer, self._tokens)
        if answer.finish == "interrupted":
            return StreamInterrupted(answer, self._tokens, len(answer.text))
        return StreamError(answer)
