"""One run of a request in this process, from its row in the log to its end.

Its events go to its readers and to the log as the bytes that leave the service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
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
from failsoft.request_log.broadcast import Live
from failsoft.request_log.contract import Ending, LogDownError, Record, RequestLog, RequestState
from failsoft.server.failures import cancelled, draining, unexpected
from failsoft.server.render import Render, json_bytes, retry_after, status_of
from failsoft.server.service import Service
from failsoft.server.sse import frame_of, text_frame

__all__ = ["FrameOutlet", "Result", "Run"]


class FrameOutlet:
    """The outlet of one run's stream. The terminal event is kept back until :meth:`end`."""

    def __init__(
        self,
        live: Live,
        record: Record,
        *,
        log: RequestLog,
        render: Render,
        on_lost: Callable[[], None],
    ) -> None:
        self._live = live
        self._on_lost = on_lost
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
        """Whether even the fastest reader is behind, or it has to be asked whose run it is."""
        return self._live.full or not self._log.covers(self._id, self._run)

    @property
    def shown(self) -> bool:
        """Whether this run has sent text."""
        return self._tokens > 0

    async def room(self) -> None:
        """Return once it is not full. Where the run is another process's now, it is ended."""
        log, run = self._log, (self._id, self._run)
        if not log.covers(*run) and not await log.renew(*run):
            self._on_lost()
            await asyncio.Event().wait()  # until that cancels it
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


_log = logging.getLogger(__name__)

# Readers in other processes are looked for so often before an unread request is given up.
_LOOK_SECONDS = 1.0


class Result(NamedTuple):
    """A whole answer as it goes out: ``retry_after`` is in seconds, where a wait is known."""

    status: int
    body: bytes
    retry_after: int | None


class Run:
    """Asks ``ai``, sends events and enters them in the log. :attr:`live` has them for its readers.

    ``on_kept`` is called when the log has its end, just before its readers get it. Where it is
    not ``durable`` the log was down when it began.
    """

    result: Result | None = None
    ending: Ending | None = None
    attempt = 0

    def __init__(
        self,
        record: Record,
        arguments: Mapping[str, Any],
        *,
        ai: Failsoft,
        service: Service,
        log: RequestLog,
        on_kept: Callable[[Run], None],
        durable: bool = True,
    ) -> None:
        self.record = record
        self.durable = durable
        self.live = Live(record.first_id, lingers=record.key is not None, on_left=self._left)
        self._arguments = {**arguments, "request_id": record.id}
        self._ai = ai
        self._log = log
        self._on_kept = on_kept
        self._drain = service.drain
        self._stories = service.stories
        self._render = service.render
        self._outlet: FrameOutlet | None = None
        if record.stream:
            self._outlet = FrameOutlet(
                self.live,
                record,
                log=log,
                render=service.render,
                on_lost=lambda: self.stop("lost"),
            )
        self._stopped: Literal["", "cancelled", "draining", "lost"] = ""
        self._answered = False
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def shown(self) -> bool:
        """Whether it has sent text as a stream."""
        return self._outlet is not None and self._outlet.shown

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

    def start(self) -> asyncio.Task[None]:
        """Begin; the task ends with the run, and never raises but to be cancelled."""
        self._stories.begin(self.record.id)
        self._task = asyncio.create_task(self._carry_out())
        return self._task

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
            await self._seal(answer, state)

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
        story = self._stories.take(self.record.id)
        ending, last = self._end_with(answer, state, story)
        ours = await self._log.end(self.record.id, self.record.run, ending)
        if not ours and self.durable and state is not RequestState.CANCELLED:
            self._say_taken_over()  # what that other process answers is the answer
            _, last = self._end_with(self._cut(draining), RequestState.INTERRUPTED, story)
        self._on_kept(self)
        self.live.end(last)

    def _end_with(self, answer: Answer, state: RequestState, story: bytes) -> tuple[Ending, bytes]:
        """Have this for a result; its entry in the log, and the frame that a stream ends with."""
        body = json_bytes(self._render.body(answer))
        self.result = Result(status_of(answer), body, retry_after(answer))
        retryable, status = _again(answer), self.result.status
        self.ending = ending = Ending(
            state=state, retryable=retryable, status=status, body=body, story=story
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
            return await self._log.followed(self.record.id)
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
