"""The one thread that touches the file: it works in groups, and stays whatever happens."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from failsoft.requests.book import Book, Keeping
from failsoft.requests.inbox import Inbox, Op
from failsoft.requests.log import OnCancel
from failsoft.requests.outage import DROPPING, explain, is_damage, is_outage
from failsoft.requests.owners import Owner
from failsoft.requests.records import LogDownError, StoreStatus
from failsoft.requests.tail import Tail

__all__ = ["Writer"]

_log = logging.getLogger(__name__)

# The contract says 250 ms; the writing itself takes some of it.
_FLUSH_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 2.0
_RECOVER_SECONDS: Final = 2.0
_SIGN_SECONDS: Final = 2.0
_IDLE_SIGN_SECONDS: Final = 10.0
_FORGET_SECONDS: Final = 60.0


class Writer:
    """Takes all that was asked meanwhile, does it in one transaction, and answers.

    It is busier while there are ``running``.
    """

    def __init__(
        self, keeping: Keeping, owner: Owner, running: Mapping[str, Tail], *, on_cancel: OnCancel
    ) -> None:
        self.inbox = Inbox()
        self._status = StoreStatus(name="request_log", up=True, problem="", since=None)
        self._keeping = keeping
        self._owner = owner
        self._running = running
        self._on_cancel = on_cancel
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="failsoft-log", daemon=True)
        self._closing = False
        self._book: Book | None = None
        self._damaged = False
        self._kept: list[Op] = []
        self._retry_at = self._flush_at = -math.inf
        self._recover, self._sign, self._forget = _Every(), _Every(), _Every()

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        status = self._status
        if status.up or not self.inbox.overflowed:
            return status
        return replace(status, problem=status.problem + DROPPING)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def aclose(self) -> None:
        """Write what there is, and end. Idempotent."""
        if not self._closing:
            self._closing = True
            self.inbox.put(Op(work=lambda _: None, writes=False))
        await asyncio.to_thread(self._thread.join)

    # What follows runs in the thread.

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn(self.inbox.take(self._pause()))
            except Exception as error:  # noqa: BLE001 - the thread stays, whatever it is
                self._fall(error)
        self._leave()

    def _turn(self, ops: Sequence[Op]) -> None:
        now = time.monotonic()
        if self._book is None and now >= self._retry_at:
            self._rise()
        if self._book is None:
            self._put_off(ops, ())
            return
        due = now >= self._flush_at
        tails = self.inbox.dirty() if due else []
        if ops or tails:
            self._batch(ops, tails)
        if due:
            self._flush_at = now + _FLUSH_SECONDS
            self._hear()
        self._do_chores(now)

    def _pause(self) -> float:
        now = time.monotonic()
        if self._book is None:
            return max(0.0, self._retry_at - now)
        if self._running:
            return max(0.0, self._flush_at - now)
        return _RECOVER_SECONDS

    def _batch(self, ops: Sequence[Op], tails: Sequence[Tail]) -> None:
        """Do it all in one go; where one thing fails, each by itself, and only that one fails."""
        if self._book is None:
            self._put_off(ops, tails)
            return
        try:
            answers = self._commit(self._book, ops, tails)
        except Exception as error:  # noqa: BLE001 - told apart below
            if is_outage(error):
                self._fall(error)
                self._put_off(ops, tails)
            elif len(ops) + len(tails) > 1:
                for tail in tails:
                    self._batch((), (tail,))
                for op in ops:
                    self._batch((op,), ())
            else:
                self._refuse(ops, tails, error)
        else:
            self._settle(ops, answers)

    def _commit(self, book: Book, ops: Sequence[Op], tails: Sequence[Tail]) -> list[Any]:
        pending = dict.fromkeys(tail for tail in (*tails, *_tails(ops)) if tail.pending)
        parts = [tail.part() for tail in pending]

        def work() -> list[Any]:
            book.rows.write(parts)
            return [op.work(book.rows) for op in ops]

        try:
            answers = book.do(work, writes=bool(parts) or any(op.writes for op in ops))
        except BaseException:
            for part in parts:
                part.tail.moved = part.tail.moved or part.moved
            raise
        for part in parts:
            self.inbox.release(part.tail, part.count)
        return answers

    def _settle(self, ops: Sequence[Op], answers: Sequence[Any]) -> None:
        for op, answer in zip(ops, answers, strict=True):
            if op.then is not None:
                op.then(answer)
        _answer([(op.answer, got) for op, got in zip(ops, answers, strict=True)])

    def _refuse(self, ops: Sequence[Op], tails: Sequence[Tail], error: Exception) -> None:
        """Something that can never be written was asked for."""
        _log.error("request_log_refused", exc_info=error)
        guilty = [tail for tail in (*tails, *_tails(ops)) if tail.pending]
        for tail in guilty:
            self.inbox.drop(tail)
        if guilty:
            self._batch(ops, ())
        else:
            self._decline(ops)

    def _put_off(self, ops: Sequence[Op], tails: Sequence[Tail]) -> None:
        for tail in tails:
            self.inbox.mark(tail)
        self._kept += [op for op in ops if op.keep]
        self._decline(ops)

    def _decline(self, ops: Sequence[Op]) -> None:
        error = LogDownError(self.status.problem)
        _answer([(op.answer, error) for op in ops])

    def _rise(self) -> None:
        """Open the file and write what was held; up once that is done."""
        book = None
        try:
            book = Book(self._keeping, self._owner, check=self._damaged)
            book.give_sign()
            if not self.status.up:
                book.try_room()
            book.recover()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            if book is not None:
                book.close()
            self._fall(error)
            return
        self._book = book
        kept, self._kept = self._kept, []
        self._batch(kept, self.inbox.dirty())
        if self._book is not None:
            self._up()

    def _up(self) -> None:
        self._damaged = self.inbox.overflowed = False
        if not self.status.up:
            self._change(problem="")
            _log.warning("request_log_up", extra={"fields": {"file": str(self._keeping.path)}})

    def _fall(self, error: Exception) -> None:
        """Close the file and say why; it is tried again later."""
        if self._book is not None:
            with suppress(Exception):
                self._book.close()
        self._book = None
        self._damaged = self._damaged or is_damage(error)
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        was_up = self.status.up
        self._change(problem=explain(error, self._keeping.path))
        if was_up:
            fields = {"problem": self.status.problem}
            _log.error("request_log_down", extra={"fields": fields})

    def _change(self, *, problem: str) -> None:
        changed = bool(problem) == self._status.up
        since = self._keeping.clock() if changed else self._status.since
        self._status = replace(self._status, up=not problem, problem=problem, since=since)

    def _hear(self) -> None:
        """Pass on what other processes ask to be cancelled."""
        book = self._book
        if book is None or not book.do(book.rows.has_words, writes=False):
            return
        for request, run in book.do(book.rows.words, writes=True):
            _call(self._loop, self._on_cancel, request, run)

    def _do_chores(self, now: float) -> None:
        if (book := self._book) is None:
            return
        if self._sign.due(now, _SIGN_SECONDS if self._running else _IDLE_SIGN_SECONDS):
            book.give_sign()
        if self._recover.due(now, _RECOVER_SECONDS):
            book.recover()
        if self._forget.due(self._keeping.clock(), _FORGET_SECONDS) and book.forget_old():
            self._forget = _Every()

    def _leave(self) -> None:
        """Write what there is, and go. What cannot be written is taken over like a dead one's."""
        try:
            self._flush_at = -math.inf
            self._turn(self.inbox.take(0))
            if self._book is not None:
                self._book.take_leave()
                self._owner.leave()
                self._book.close()
        except Exception as error:  # noqa: BLE001 - the lock must go, whatever it is
            self._fall(error)
        self._owner.release()


class _Every:
    """Whether something is due again. A clock that was set back makes it due."""

    def __init__(self) -> None:
        self._last = -math.inf

    def due(self, now: float, seconds: float) -> bool:
        if abs(now - self._last) < seconds:
            return False
        self._last = now
        return True


def _tails(ops: Sequence[Op]) -> list[Tail]:
    return [op.tail for op in ops if op.tail is not None]


def _answer(answers: Sequence[tuple[asyncio.Future[Any] | None, Any]]) -> None:
    """Give answers to who waits for them, each in its own loop: one call a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for future, answer in answers:
        if future is not None:
            by_loop.setdefault(future.get_loop(), []).append((future, answer))
    for loop, group in by_loop.items():
        _call(loop, _resolve, group)


def _call(loop: asyncio.AbstractEventLoop, work: Callable[..., object], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(work, *args)


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, LogDownError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
