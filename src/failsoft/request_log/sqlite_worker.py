"""Single writer thread of the SQLite log; batches operations and survives every error."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from failsoft.request_log.contract import LogDownError, OnCancel
from failsoft.request_log.outbox import Pending, Protection, Tail, boot_seconds
from failsoft.request_log.process_lock import DEAD_SECONDS, Owner, bury, lives, locks
from failsoft.request_log.sqlite_rows import Rows, forget_old, give_sign, interrupt, seen
from failsoft.request_log.sqlite_schema import prepare
from failsoft.storage.damage import alone, remove_damaged, set_aside
from failsoft.storage.outages import (
    DROPPING,
    LOCK_SECONDS,
    OutageError,
    explain,
    is_busy,
    is_damage,
    is_outage,
)
from failsoft.storage.sqlite import connect, identity, transaction
from failsoft.storage.status import StoreHealth, StoreStatus

__all__ = ["Book", "Inbox", "Keeping", "Op", "Writer"]


@dataclass(slots=True, eq=False, kw_only=True)
class Op:
    """Something asked of the rows, and who waits for the answer.

    ``tail`` is written before. ``then`` is called in the thread, once it is committed. ``keep``: in
    an outage it is done afterwards rather than never.
    """

    work: Callable[[Rows], Any]
    writes: bool = False
    tail: Tail | None = None
    then: Callable[[Any], None] | None = None
    keep: bool = False
    answer: asyncio.Future[Any] | None = None


class Inbox(Pending[Tail]):
    """Two queues without a lock of ours: what is to be done at once, and what can wait a little."""

    def __init__(self) -> None:
        super().__init__()
        self._ops: SimpleQueue[Op] = SimpleQueue()

    def put(self, op: Op) -> None:
        """Have it done at once."""
        self._ops.put(op)

    def take(self, seconds: float) -> list[Op]:
        """All there is to do; where there is nothing, wait so long for something."""
        ops: list[Op] = []
        try:
            ops.append(self._ops.get(timeout=seconds))
            while True:
                ops.append(self._ops.get_nowait())
        except Empty:
            return ops


T = TypeVar("T")

# Requests deleted in one transaction: with their events it takes some milliseconds, and nobody
# shall wait long behind it.
_FORGET: Final = 50

_ROOM_BYTES: Final = 256 * 1024
_BLANK: Final = """
    INSERT OR REPLACE INTO events (request, run, last, data) VALUES (0, 0, 0, zeroblob(?))
"""

# Between two tries to get the lock: other processes hold it for about a millisecond.
_TRY_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where the log is kept, for how long (seconds), whether with text, and by which clock."""

    path: Path
    retention: float
    store_text: bool
    clock: Callable[[], float]

    @property
    def owners(self) -> Path:
        """The folder of the owners' locks."""
        return self.path.parent / "owners"


class Book:
    """An open file. Every method waits at most ``LOCK_SECONDS`` for a lock.

    Whatever is wrong with the file is raised as it comes; then the book is to be closed.
    """

    def __init__(self, keeping: Keeping, owner: Owner, *, check: bool) -> None:
        self._keeping = keeping
        self._owner = owner
        keeping.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner.hold()
        self._connection = _patiently(lambda: _opened(keeping.path, check=check))
        self._file = identity(keeping.path)
        self.rows = Rows(
            self._connection,
            owner=owner.name,
            clock=keeping.clock,
            retention=keeping.retention,
            store_text=keeping.store_text,
        )

    def do(self, work: Callable[[], T], *, writes: bool) -> T:
        """Do it all or nothing, in one transaction. May be done over where a lock is in the way.

        Raises :class:`OutageError` where what was written went into a file that is not at its
        place any more: it would not be read there.
        """

        def once() -> T:
            with transaction(self._connection, writes=writes):
                return work()

        done = _patiently(once)
        if writes and identity(self._keeping.path) != self._file:
            raise OutageError("removed or replaced while in use")
        return done

    def give_sign(self) -> None:
        """Say that we live."""
        self._owner.hold()
        now = self._keeping.clock()
        self.do(lambda: give_sign(self._connection, self._owner.name, now), writes=True)

    def try_room(self) -> None:
        """Write and delete as much as a busy second brings, to see whether there is room for it.

        Where there is room to write it and none to delete it, it stays until the next time.
        """
        self.do(lambda: self._connection.execute(_BLANK, (_ROOM_BYTES,)), writes=True)
        gone = "DELETE FROM events WHERE request = 0"
        self.do(lambda: self._connection.execute(gone), writes=True)

    def recover(self) -> None:
        """End what dead owners have left running; those that live are left alone."""
        now, folder = self._keeping.clock(), self._keeping.owners
        listed = dict.fromkeys(locks(folder), 0.0)  # a lock may outlive a file that was moved away
        listed.update(self.do(lambda: seen(self._connection), writes=False))
        for name, seen_at in listed.items():
            if name != self._owner.name and not lives(folder, name, now - seen_at):
                self._strike_off(name)
                bury(folder, name)

    def forget_old(self) -> bool:
        """Delete some of what is too old; whether there may be more of it."""
        now = self._keeping.clock()
        oldest = now - self._keeping.retention
        remove_damaged(self._keeping.path, before=oldest)
        return self.do(
            lambda: forget_old(self._connection, oldest=oldest, now=now, most=_FORGET),
            writes=True,
        )

    def take_leave(self) -> None:
        """End what we have left running, and go."""
        self._strike_off(self._owner.name)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _strike_off(self, name: str) -> None:
        now = self._keeping.clock()
        self.do(lambda: interrupt(self._connection, name, now), writes=True)


def _patiently(work: Callable[[], T]) -> T:
    """Try again while another connection holds a lock, for ``LOCK_SECONDS``."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return work()
        except (sqlite3.OperationalError, BlockingIOError) as error:
            locked = isinstance(error, BlockingIOError) or is_busy(error)
            if not locked or time.monotonic() > deadline:
                raise
        time.sleep(_TRY_SECONDS)


def _opened(path: Path, *, check: bool) -> sqlite3.Connection:
    with alone(path.parent):
        return connect(path, check=check, prepare=prepare)


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
        self.protection = Protection(DEAD_SECONDS)
        self._health = StoreHealth(
            "request_log", clock=keeping.clock, fields={"file": str(keeping.path)}
        )
        self._keeping = keeping
        self._owner = owner
        self._running = running
        self._on_cancel = on_cancel
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="failsoft-log", daemon=True)
        self._closing = False
        self._book: Book | None = None
        self._damaged = False
        self._which: tuple[int, int] | None = None
        self._kept: list[Op] = []
        self._retry_at = self._flush_at = -math.inf
        self._recover, self._sign, self._forget = _Every(), _Every(), _Every()

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        status = self._health.status
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
        except Exception as error:  # noqa: BLE001 - sorted below
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
        self._which = identity(self._keeping.path)
        try:
            book = Book(self._keeping, self._owner, check=self._damaged)
            self._give_sign(book)
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
        self._health.works()

    def _fall(self, error: Exception) -> None:
        """Close the file and say why; it is tried again later."""
        if self._book is not None:
            with suppress(Exception):
                self._book.close()
        self._book = None
        self._damaged = self._damaged or is_damage(error)
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if is_damage(error):
            self._set_aside()
        self._health.fails(explain(error, self._keeping.path))

    def _set_aside(self) -> None:
        """Make room for a new file. Where that cannot be, ask for it to be done by hand."""
        with suppress(OSError):
            if place := set_aside(self._keeping.path, self._which):
                self._health.set_aside(str(place))
                fields = {"file": str(self._keeping.path), "now": place.name}
                _log.error("request_log_set_aside", extra={"fields": fields})

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
            self._give_sign(book)
        if self._recover.due(now, _RECOVER_SECONDS):
            book.recover()
        if self._forget.due(self._keeping.clock(), _FORGET_SECONDS) and book.forget_old():
            self._forget = _Every()

    def _give_sign(self, book: Book) -> None:
        at = boot_seconds()
        book.give_sign()
        self.protection.confirmed(at)

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
    with suppress(RuntimeError):  # the loop is closed, and the caller gone
        loop.call_soon_threadsafe(work, *args)


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, LogDownError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
