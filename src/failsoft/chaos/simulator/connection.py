"""Sends an answer to a client as fast as its fate allows, whole or in part, or breaks off."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Never

from aiohttp import web

from failsoft.chaos.simulator.journal import JournalRecord
from failsoft.chaos.simulator.script import Fate
from failsoft.chaos.simulator.simulated_answer import SimulatedAnswer
from failsoft.chaos.simulator.time import Clock, LimitState
from failsoft.chaos.simulator.wire import (
    Frame,
    SimulatedFailure,
    SimulatedReply,
    WireDialect,
)
from failsoft.faults.fault_grammar import SimulatedFault

__all__ = ["RECORD", "ConnectionStage", "Line", "as_response"]


RECORD: Final = web.RequestKey("record", JournalRecord)
"""Where the record of a request is kept while it is handled."""

_READING_SECONDS: Final = 0.01
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Line:
    """One request's way back. It notes in the request's record what was sent, and when."""

    def __init__(
        self,
        request: web.Request,
        *,
        clock: Clock,
        dialect: WireDialect,
        limit: LimitState | None = None,
    ) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None
        self.clock = clock
        self.record = request[RECORD]
        self.dialect = dialect
        self.headers = {dialect.request_id_header: self.record.request_id}
        if limit is not None:
            self.headers |= dialect.limit_headers(limit)

    def whole(self, reply: SimulatedReply) -> web.StreamResponse:
        """A reply that is sent in one piece."""
        return as_response(reply, self.headers)

    async def begin(self, response: web.StreamResponse) -> None:
        """Send the head of a reply whose body is still to come."""
        self._response = response
        self.record.status = response.status
        self.record.first_byte_s = self.clock.now()
        await response.prepare(self._request)

    async def silence(self) -> Never:
        """Send nothing more and keep the connection until the client has gone."""
        while True:
            await asyncio.Event().wait()

    async def abort(self) -> web.StreamResponse:
        """Reset the connection (RST)."""
        if self._response is not None:
            # A reset overtakes what the client has not read yet, so let it read.
            await asyncio.sleep(_READING_SECONDS)
        transport = self._transport()
        if (sock := transport.get_extra_info("socket")) is not None:
            # Without this the kernel says goodbye with a FIN once everything was read.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
        return self.incomplete()

    def close(self) -> web.StreamResponse:
        """Close the connection (FIN) in the middle of the reply."""
        self._transport().close()
        return self.incomplete()

    def incomplete(self) -> web.StreamResponse:
        """End the reply here, though it is not whole."""
        self.record.outcome = "cut"
        return self._response or web.Response()

    def _transport(self) -> asyncio.Transport:
        if self._request.transport is None:
            raise ConnectionResetError("the client has gone")
        return self._request.transport


def as_response(reply: SimulatedReply, headers: Mapping[str, str]) -> web.Response:
    """The reply as it is sent, with ``headers`` added to its own."""
    merged = {**headers, **reply.headers, "content-type": reply.content_type}
    return web.Response(status=reply.status, body=reply.body, headers=merged)


_EVENTS: Final = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_JSON: Final = {"content-type": "application/json"}


class ConnectionStage(Line):
    """The line of a request that has a fate: ``answer`` is what a healthy call would get."""

    def __init__(
        self,
        request: web.Request,
        *,
        clock: Clock,
        dialect: WireDialect,
        fate: Fate,
        answer: SimulatedAnswer,
    ) -> None:
        super().__init__(request, clock=clock, dialect=dialect, limit=fate.limit)
        self._fate = fate
        self._due: float | None = None  # of the next content
        self.answer = answer
        self.stream = answer.call.stream

    def failure_of(self, fault: SimulatedFault) -> SimulatedFailure:
        """The error that a fault's name means in this dialect."""
        epoch = self.clock.epoch(self.clock.now())
        call, limit = self.answer.call, self._fate.limit
        return self.dialect.of_fault(fault, call, epoch=epoch, limit=limit)

    async def ready(self) -> None:
        """Wait as long as the fate's latency wants before anything is sent."""
        if self._fate.latency:
            await self.clock.sleep(self._fate.latency.first_content_ms.draw(self._fate.rng))

    async def open(self) -> web.StreamResponse:
        """Begin a chunked reply with status 200: events, or JSON for a plain request."""
        kind = _EVENTS if self.stream else _JSON
        response = web.StreamResponse(headers={**self.headers, **kind})
        response.enable_chunked_encoding()
        await self.begin(response)
        return response

    async def play(self, answer: SimulatedAnswer | None = None) -> web.StreamResponse:
        """Send the answer (or another one) from beginning to end."""
        answer = answer or self.answer
        if not self.stream:
            await self._pace(answer.contents - 1)
            return self.whole(SimulatedReply(status=200, body=self.dialect.message_body(answer)))
        response = await self.open()
        await self.write(response, self.dialect.frames(answer))
        return response

    async def play_part(self, contents: int) -> web.StreamResponse:
        """Send the answer as far as its first ``contents``; of a plain reply, half the JSON."""
        if not self.stream:
            await self._pace(min(contents, self.answer.contents) - 1)
            response = await self.open()
            body = self.dialect.message_body(self.answer)
            await response.write(body[: len(body) // 2])
            return response
        response = await self.open()
        await self.write(response, _until(list(self.dialect.frames(self.answer)), contents))
        return response

    async def write(self, response: web.StreamResponse, events: Iterable[Frame]) -> None:
        """Send events at the pace that the fate's latency sets."""
        for event in events:
            if event.content:
                await self._pace(1 if self.record.contents else 0)
                self.record.contents += 1
            await response.write(event.data)

    async def drip(self, data: bytes, *, size: int, every: float) -> web.StreamResponse:
        """Send ``size`` bytes at a time, ``every`` so many seconds."""
        response = await self.open()
        for start in range(0, len(data), size):
            await self.clock.sleep(every if start else 0)
            await response.write(data[start : start + size])
        return response

    async def beat(self, response: web.StreamResponse, event: Frame, *, every: float) -> Never:
        """Send one event again and again until the client has gone."""
        while True:
            await self.clock.sleep(every)
            await response.write(event.data)

    async def _pace(self, contents: int) -> None:
        if self._fate.latency:
            between, rng = self._fate.latency.between_events_ms, self._fate.rng
            now = self.clock.now()
            # Held to a time, not to a wait: forty waits that each end late would make a streamed
            # answer slower than the same answer as JSON.
            self._due = (self._due or now) + sum(between.draw(rng) for _ in range(contents))
            await self.clock.sleep(self._due - now)


def _until(events: Sequence[Frame], contents: int) -> Sequence[Frame]:
    """The events to the last of so many contents; without any, those before the first."""
    places = [n for n, event in enumerate(events) if event.content]
    return events[: places[:contents][-1] + 1] if contents else events[: places[0]]
