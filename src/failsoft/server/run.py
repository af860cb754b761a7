"""One run of a request in this process, from its row in the log to its end, and its readers.

Its events go to its readers and to the log as the bytes that leave the service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from failsoft.classify.verdict import ErrorCategory
from failsoft.engine.answer import (
    Answer,
    StreamDone,
    StreamError,
    StreamEvent,
    StreamInterrupted,
    StreamRestart,
    StreamText,
)
from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import Ending, Entry, LogDownError, Record, RequestState
from failsoft.server.failures import cancelled, draining, unexpected
from failsoft.server.render import Render, WholeReply
from failsoft.server.service import Service
from failsoft.telemetry.events import Event
from failsoft.telemetry.history import story_of

__all__ = ["FrameOutlet", "Frames", "Live", "LiveReader", "Run"]


# Events that the fastest reader may be behind before the provider is no longer read from: a few
# screens of text. A slower one reads on from what is kept until the run ends.
_AHEAD = 256


class Frames(NamedTuple):
    """Events as they go out, in one piece; ``ended`` where the last of the run is among them.

    ``data`` is empty where a reader was only woken.
    """

    data: bytes
    ended: bool


def _stay() -> None:
    """No reader is missed any more."""


class Live:
    """The events of one run, sent to any number of readers. For one event loop.

    What it holds is bounded by the length of one answer. It is an outlet with back-pressure: full
    while even the fastest reader is behind. ``on_left`` is called when the last reader leaves
    before the end; one that ``lingers`` goes on then, and is not full.
    """

    def __init__(self, first_id: int, *, lingers: bool, on_left: Callable[[], None]) -> None:
        self.first_id = first_id
        self.ended = False
        self._lingers = lingers
        self._on_left = on_left
        self.left_at = asyncio.get_running_loop().time()
        self._frames: list[bytes] = []
        self._readers: set[LiveReader] = set()
        self._farthest = 0
        self._room: asyncio.Future[None] | None = None

    @property
    def next_id(self) -> int:
        """The id of the event that comes next."""
        return self.first_id + len(self._frames)

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return bool(self._readers)

    @property
    def full(self) -> bool:
        """Whether even the fastest reader is behind."""
        behind = len(self._frames) - self._farthest >= _AHEAD
        return behind and (bool(self._readers) or not self._lingers)

    async def room(self) -> None:
        """Return once it is not full, or ended."""
        while self.full and not self.ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def append(self, frame: bytes) -> None:
        """Give one event out."""
        self._frames.append(frame)
        for reader in self._readers:
            reader.wake()

    def end(self, last: bytes) -> None:
        """Give the last event out; empty where there was none to give."""
        self.ended = True
        if last:
            self._frames.append(last)
        for reader in self._readers:
            reader.wake()
        self._give_room()
        self._on_left = _stay

    @property
    def frames(self) -> Sequence[bytes]:
        """All events so far, the first of them with the id ``first_id``."""
        return self._frames

    def reader(self, after: int = 0) -> LiveReader:
        """A new reader of the events with ids above ``after``, to be closed in the end."""
        known = min(max(0, after - self.first_id + 1), len(self._frames))
        reader = LiveReader(self, known)
        self._readers.add(reader)
        return reader

    def since(self, position: int) -> Frames:
        """What there is from ``position`` on."""
        return Frames(b"".join(self._frames[position:]), self.ended)

    def advance(self, position: int) -> None:
        """A reader has come so far."""
        if position > self._farthest:
            self._farthest = position
            self._give_room()

    def leave(self, reader: LiveReader) -> None:
        """A reader leaves. Idempotent."""
        if reader not in self._readers:
            return
        self._readers.remove(reader)
        self.left_at = asyncio.get_running_loop().time()
        self._farthest = max((each.position for each in self._readers), default=self._farthest)
        self._give_room()
        if not self._readers and not self.ended:
            self._on_left()

    def _give_room(self) -> None:
        if self._room is not None and not self._room.done() and (self.ended or not self.full):
            self._room.set_result(None)


class LiveReader:
    """Reads one :class:`Live` from a position on."""

    def __init__(self, live: Live, position: int) -> None:
        self.position = position
        self._live = live
        self._awaited: asyncio.Future[None] | None = None

    async def read(self) -> Frames:
        """Return all there is; where there is nothing yet, wait until there is, or for a wake.

        A reader that comes for more has done with what there was.
        """
        live = self._live
        live.advance(self.position)
        if self.position >= live.next_id - live.first_id and not live.ended:
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        frames = live.since(self.position)
        self.position = live.next_id - live.first_id
        return frames

    def wake(self) -> None:
        """Make a waiting :meth:`read` return."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._live.leave(self)


class FrameOutlet:
    """The outlet of one run's stream. The terminal event is kept back until :meth:`end`."""

    def __init__(
        self,
        live: Live,
        record: Record,
        *,
        entry: Entry,
        render: Render,
        on_lost: Callable[[], None],
    ) -> None:
        self._live = live
        self._on_lost = on_lost
        self._entry = entry
        self._render = render
        self._run = record.run
        # An earlier run of this request may have shown text, which a reader may still have.
        self._replaces = record.shown_run > 0
        self._tokens = 0
        self._chars = 0
        self._terminal: StreamDone | StreamInterrupted | StreamError | None = None

    @property
    def full(self) -> bool:
        """Whether even the fastest reader is behind, or it has to be asked whose run it is."""
        return self._live.full or not self._entry.covers()

    @property
    def shown(self) -> bool:
        """Whether this run has sent text."""
        return self._tokens > 0

    async def room(self) -> None:
        """Return once it is not full. Where the run is another process's now, it is ended."""
        if not self._entry.covers() and not await self._entry.renew():
            self._on_lost()
            await asyncio.Event().wait()  # until that cancels it
        await self._live.room()

    def give(self, event: StreamEvent) -> None:
        """Take one event."""
        if isinstance(event, StreamDone | StreamInterrupted | StreamError):
            self._terminal = event
            return
        if isinstance(event, StreamText):
            if self._replaces:
                self._replaces = False
                self._give(StreamRestart(self._run))
            self._tokens += 1
            self._chars += len(event.text)
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
        frame = self._render.frame(number, self._terminal)
        self._entry.append(frame, number, shown=False)
        return frame

    def _give(self, event: StreamEvent) -> None:
        number, shown = self._live.next_id, isinstance(event, StreamText)
        frame = self._render.frame(number, event)
        self._live.append(frame)
        self._entry.append(frame, number, shown=shown)


_log = logging.getLogger(__name__)

# Readers in other processes are looked for so often before an unread request is given up.
_LOOK_SECONDS = 1.0


class Run:
    """Asks ``ai``, sends events and enters them in the log. :attr:`live` has them for its readers.

    It begins at once, and its task never raises but to be cancelled: its maker holds it until
    ``on_kept``.

    :attr:`happened` are the events of its request so far, to be added to by whom they come to;
    :attr:`entry` is where it writes in the log. ``on_kept`` is called when the log has its end,
    just before its readers get it.
    """

    result: WholeReply | None = None
    ending: Ending | None = None
    attempt = 0

    def __init__(
        self,
        record: Record,
        arguments: Mapping[str, Any],
        *,
        ai: Failsoft,
        service: Service,
        entry: Entry,
        on_kept: Callable[[Run], None],
    ) -> None:
        self.record = record
        self.entry = entry
        self.live = Live(record.first_id, lingers=record.key is not None, on_left=self._left)
        self._arguments = {**arguments, "request_id": record.id}
        self._ai = ai
        self._on_kept = on_kept
        self._drain = service.drain
        self.happened: list[Event] = []
        self._render = service.render
        self._outlet: FrameOutlet | None = None
        if record.stream:
            self._outlet = FrameOutlet(
                self.live,
                record,
                entry=entry,
                render=service.render,
                on_lost=lambda: self.stop("lost"),
            )
        self._stopped: Literal["", "cancelled", "draining", "lost"] = ""
        self._answered = self._shown = False
        self._watch: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._carry_out())

    @property
    def shown(self) -> bool:
        """Whether it has sent text as a stream."""
        return self._shown if self._outlet is None else self._outlet.shown

    @property
    def size(self) -> int:
        """Bytes of what it gave out."""
        body = b"" if self.result is None else self.result.body
        return len(body) + sum(map(len, self.live.frames))

    def as_recorded(self, now: float) -> Record:
        """Its record as the log would have it at ``now`` (epoch seconds)."""
        state = RequestState.RUNNING if self.attempt else RequestState.QUEUED
        record = replace(
            self.record,
            state=state,
            updated_at=now,
            attempt=self.attempt,
            last_id=self.live.next_id - 1,
        )
        if (ending := self.ending) is None:
            return record
        return replace(
            record,
            state=ending.state,
            ended_at=now,
            status=ending.status,
            body=ending.body,
            retryable=ending.retryable,
        )

    def stop(self, why: Literal["cancelled", "draining", "lost"]) -> None:
        """End it now, at the provider too, unless it has been answered.

        One that is ``lost`` was taken over: its key joins the other process's run.
        """
        if self._task is not None and not self._answered and not self._stopped:
            self._stopped = why
            self._task.cancel()

    async def ended(self) -> None:
        """Return when it has ended and the log has it."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _carry_out(self) -> None:
        with self._drain.open() as cut:
            cut.add_done_callback(lambda _: self.stop("draining"))
            answer, state = await self._answer()
            self._answered = True
            self._arguments = {}
            await self._seal(answer, state)
        # A cycle would keep the whole question until the collector comes, which is seldom.
        self._shown, self._outlet, self._task = self.shown, None, None

    async def _answer(self) -> tuple[Answer, RequestState]:
        try:
            answer = await self._ask()
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.uncancel()
            if self._stopped == "lost":
                self._say_taken_over()
            if self._stopped == "cancelled":
                return self._cut(cancelled), RequestState.CANCELLED
            return self._cut(draining), RequestState.INTERRUPTED
        except Exception:  # noqa: BLE001 - whatever it is, a person is waiting for an end
            _log.exception("request_failed", extra={"fields": {"request_id": self.record.id}})
            answer = self._cut(unexpected)
        return answer, _state_of(answer)

    async def _ask(self) -> Answer:
        if self._outlet is None:
            return await self._ai.ask(**self._arguments)
        await self._ai.stream(**self._arguments).into(self._outlet)
        return self._outlet.answer

    def _cut(self, words: Any) -> Answer:
        """Answer in our own words, by what the readers have been given so far."""
        locale = self.record.locale
        answer: Answer = words(self._ai, request_id=self.record.id, locale=locale, shown=self.shown)
        if self._outlet is not None:
            self._outlet.cut(answer)
        return answer

    async def _seal(self, answer: Answer, state: RequestState) -> None:
        """Enter the end in the log, then send it: an end that a reader sees is durable."""
        story = story_of(self.happened)
        ending, last = self._end_with(answer, state, story)
        ours = await self.entry.end(ending)
        if not ours and state is not RequestState.CANCELLED:
            self._say_taken_over()  # what that other process answers is the answer
            _, last = self._end_with(self._cut(draining), RequestState.INTERRUPTED, story)
        self._on_kept(self)
        self.live.end(last)

    def _end_with(self, answer: Answer, state: RequestState, story: bytes) -> tuple[Ending, bytes]:
        """Have this for a result; its entry in the log, and the frame that a stream ends with."""
        self.result = result = self._render.result(answer)
        self.ending = ending = Ending(
            state=state,
            retryable=_again(answer),
            status=result.status,
            body=result.body,
            story=story,
        )
        return ending, self._outlet.seal() if self._outlet is not None else b""

    def _say_taken_over(self) -> None:
        fields = {"request_id": self.record.id, "run": self.record.run}
        _log.warning("request_taken_over", extra={"fields": fields})

    def _left(self) -> None:
        self._watch = asyncio.create_task(self._unread())

    async def _unread(self) -> None:
        """Its last reader here left: with a key it lingers, and readers elsewhere keep it alive."""
        left_at = self.live.left_at
        if self.record.key is not None:
            await asyncio.sleep(self._ai.settings.linger_seconds)
        while not self.live.is_read and self.live.left_at == left_at:
            if not await self._followed():
                self.stop("cancelled")
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _followed(self) -> bool:
        try:
            return await self.entry.followed()
        except LogDownError:
            return False


def _again(answer: Answer) -> bool:
    """Whether the same key may run again. What the operator mends is not the person's to repeat."""
    return answer.retryable or answer.error_category is ErrorCategory.AUTH_ERROR


def _state_of(answer: Answer) -> RequestState:
    if answer.status == "success":
        return RequestState.DONE
    interrupted = answer.finish == "interrupted"
    return RequestState.INTERRUPTED if interrupted else RequestState.FAILED
