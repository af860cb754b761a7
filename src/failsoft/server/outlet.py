"""Gives the events of a run to its readers and to the log, each as the bytes that go out."""

from __future__ import annotations

from failsoft.engine.answer import (
    Answer,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamRestart,
    StreamText,
)
from failsoft.requests.live import Live
from failsoft.requests.log import RequestLog
from failsoft.requests.records import Record
from failsoft.server.frames import frame_of, text_frame
from failsoft.server.render import Render

__all__ = ["FrameOutlet"]


class FrameOutlet:
    """The outlet of one run's stream. The terminal event is kept back until :meth:`end`."""

    def __init__(self, live: Live, record: Record, *, log: RequestLog, render: Render) -> None:
        self._live = live
        self._log = log
        self._render = render
        self._id = record.id
        self._run = record.run
        # An earlier run of this request may have shown text, which a reader may still have.
        self._replaces = record.shown_run > 0
        self._tokens = 0
        self._chars = 0
        self._terminal: StreamDone | StreamInterrupted | StreamError | None = None

    @property
    def full(self) -> bool:
        """Whether even the fastest reader is behind."""
        return self._live.full

    @property
    def shown(self) -> bool:
        """Whether this run has given out text."""
        return self._tokens > 0

    async def room(self) -> None:
        """Return once it is not full."""
        await self._live.room()

    def give(self, event: StreamEvent) -> None:
        """Take one event."""
        if isinstance(event, StreamText):
            if self._replaces:
                self._replaces = False
                self._give(StreamRestart(self._run))
            self._tokens += 1
            self._chars += len(event.text)
            number = self._live.next_id
            self._keep(number, text_frame(number, event.text), shown=True)
        elif isinstance(event, StreamDone | StreamInterrupted | StreamError):
            self._terminal = event
        else:
            self._give(event)

    @property
    def answer(self) -> Answer:
        """What the run ended in."""
        if self._terminal is None:
            raise RuntimeError("this run has not ended")
        return self._terminal.answer

    def cut(self, answer: Answer) -> None:
        """End it by ``answer``, after what has been shown so far."""
        self._terminal = (
            StreamInterrupted(answer, self._tokens, self._chars)
            if self.shown
            else StreamError(answer)
        )

    def seal(self) -> bytes:
        """Enter the terminal event in the log; the readers get it when it is safe there."""
        if self._terminal is None:
            raise RuntimeError("this run has not ended")
        number = self._live.next_id
        frame = frame_of(number, self._render.event(self._terminal))
        self._log.append(self._id, self._run, frame, number, shown=False)
        return frame

    def _give(self, event: StreamEvent) -> None:
        number = self._live.next_id
        self._keep(number, frame_of(number, self._render.event(event)), shown=False)

    def _keep(self, number: int, frame: bytes, *, shown: bool) -> None:
        self._live.append(frame)
        self._log.append(self._id, self._run, frame, number, shown=shown)
