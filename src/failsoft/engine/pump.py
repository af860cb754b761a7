"""Runs a request and gives its events out, one by one, to wherever they go."""

from __future__ import annotations

from typing import Protocol

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
from failsoft.engine.call import Request
from failsoft.engine.carrying import carry_out
from failsoft.engine.core import Core
from failsoft.notices import Catalogue, notice_for

__all__ = ["Outlet", "Pump"]

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

    def __init__(self, core: Core, request: Request, catalogue: Catalogue, outlet: Outlet) -> None:
        self._core = core
        self._request = request
        self._catalogue = catalogue
        self._outlet = outlet
        self._tokens = 0

    async def run(self) -> None:
        """Carry the request out; its last event is terminal.

        Cancellation passes straight through, and no event is given then.
        """
        self._outlet.give(StreamStart(self._request.id))
        answer, _ = await carry_out(self._core, self._request, self._catalogue, self)
        if answer.level in _BELOW and answer.notice is not None:
            self._outlet.give(StreamStatus("degraded", answer.notice, answer.retry_in_seconds))
            await self.text(answer.text)
        self._outlet.give(self._terminal(answer))

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the readers."""
        return self._outlet.full

    async def text(self, text: str) -> None:
        """Give out some text; waits while the readers are behind."""
        if self._outlet.full:
            await self._outlet.room()
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
        phase: Phase = "retrying" if why == "backoff" else "waiting"
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
