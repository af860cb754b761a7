"""Reads what this process does not run: what has ended, and what another process runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from failsoft.engine.answer import Answer, StreamError, StreamInterrupted
from failsoft.engine.client import Failsoft
from failsoft.requests.live import Frames
from failsoft.requests.log import RequestLog
from failsoft.requests.records import Events, LogDownError, Record
from failsoft.server.drain import Drain
from failsoft.server.failures import draining
from failsoft.server.frames import Shown, frame_of, shown_in
from failsoft.server.render import Render

__all__ = ["LogReader", "awaited", "cut_off"]

# A reader in another process is behind by this and by what the log is: a third of a second.
_POLL_SECONDS = 0.1


class LogReader:
    """The events with ids above ``after`` of one run, as the log comes to know them."""

    def __init__(
        self,
        record: Record,
        after: int,
        *,
        ai: Failsoft,
        log: RequestLog,
        drain: Drain,
        render: Render,
    ) -> None:
        self._record = record
        self._after = after
        self._ai = ai
        self._log = log
        self._drain = drain
        self._render = render
        self._woken = asyncio.Event()

    async def read(self) -> Frames:
        """Return what is new; where there is nothing, after a short wait."""
        try:
            events = await self._next()
            if events.record.state.ended:
                return await self._rest(events)
            if not events.data:
                await self._log.follow(self._record.id)
        except LogDownError:
            # It comes back by itself, and the reader is told by then that we are still here.
            events = Events(b"", self._after, self._record)
        if self._drain.cutting:
            return Frames(events.data + await self._closing(events.last_id + 1), ended=True)
        if not events.data:
            await self._pause()
        self._after = events.last_id
        return Frames(events.data, ended=False)

    def wake(self) -> None:
        """Make a waiting :meth:`read` return."""
        self._woken.set()

    def close(self) -> None:
        """Read no more."""

    async def _next(self) -> Events:
        events = await self._log.events(self._record.id, self._record.run, self._after)
        if events.record.run != self._record.run and not events.data:
            # It was asked for again meanwhile: go on with the run that replaces this one.
            self._record = events.record
            events = await self._log.events(self._record.id, self._record.run, self._after)
        return events

    async def _rest(self, events: Events) -> Frames:
        """All that is left. A process that was killed had no time for a last event."""
        if events.record.body is not None:
            return Frames(events.data, ended=True)
        last = await self._closing(events.record.last_id)
        return Frames(events.data + last, ended=True)

    async def _closing(self, number: int) -> bytes:
        record, shown = self._record, Shown()
        with suppress(LogDownError):
            frames = await self._log.events(record.id, record.run, 0)
            shown = shown_in(frames.data)
        answer = cut_off(shown, record, ai=self._ai)
        event = (
            StreamInterrupted(answer, len(shown.texts), len(shown.text))
            if shown.texts
            else StreamError(answer)
        )
        return frame_of(number, self._render.event(event))

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        self._woken.clear()


def cut_off(shown: Shown, record: Record, *, ai: Failsoft) -> Answer:
    """How a run ends whose process is no more."""
    return draining(ai, request_id=record.id, locale=record.locale, shown=bool(shown.texts))


async def awaited(record: Record, *, log: RequestLog, drain: Drain) -> Record:
    """The record once another process has ended the run, or this one cannot wait any longer."""
    while not record.state.ended and not drain.cutting:
        with suppress(LogDownError):
            await log.follow(record.id)
            record = await log.find(record.id, record.scope) or record
        await asyncio.sleep(_POLL_SECONDS)
    return record
