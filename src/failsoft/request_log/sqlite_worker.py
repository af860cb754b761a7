"""Single writer thread of the SQLite log; batches operations into one transaction."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from failsoft.request_log.contract import LogDownError, OnCancel
from failsoft.request_log.process_lock import Owner, lives, locks, remove_stale_lock
from failsoft.request_log.sqlite_rows import Rows, delete_old, heartbeat, interrupt, seen
from failsoft.request_log.sqlite_schema import prepare
from failsoft.request_log.unwritten import Pending, Protection, Tail, boot_seconds, parts_of
from failsoft.storage.sqlite import OpenFile, remove_damaged, set_aside
from failsoft.storage.status import StoreStatus
from failsoft.storage.store_thread import StoreThread
from failsoft.storage.times import StoreTimes

__all__ = ["Inbox", "LogOptions", "Op", "SqliteFile", "SqliteWorker"]


@dataclass(slots=True, eq=False, kw_only=True)
class Op:
    """An operation on the rows, and the future of its result.

    ``tail`` is written before. ``then`` is called in the thread after the commit. ``keep``: in an
    outage it is done afterwards rather than never.
    """

    work: Callable[[Rows], Any] = lambda _: None
    writes: bool = False
    tail: Tail | None = None
    then: Callable[[Any], None] | None = None
    keep: bool = False
    answer: asyncio.Future[Any] | None = None


class Inbox(Pending[Tail]):
    """Two queues without a lock of ours: operations to do at once, and tails that can wait."""

    def __init__(self) -> None:
        super().__init__()
        self._ops: SimpleQueue[Op] = SimpleQueue()

    def put(self, op: Op) -> None:
        """Have it done at once."""
        self._ops.put(op)

    def take(self, seconds: float) -> list[Op]:
        """All operations; if there are none, wait so long for one."""
        ops: list[Op] = []
        try:
            ops.append(self._ops.get(timeout=seconds))
            while True:
                ops.append(self._ops.get_nowait())
        except Empty:
            return ops


# Requests deleted in one transaction: with their events it takes some milliseconds, and no request
# should wait long for it.
_DELETED_AT_ONCE: Final = 50

_ROOM_BYTES: Final = 256 * 1024
_BLANK: Final = """
    INSERT OR REPLACE INTO events (request, run, last, data) VALUES (0, 0, 0, zeroblob(?))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Where the log is, how many seconds it keeps a request, whether with text, by which clock."""

    path: Path
    retention: float
    store_text: bool
    clock: Callable[[], float]
    times: StoreTimes

    @property
    def owners(self) -> Path:
        """The folder of the owners' locks."""
        return self.path.parent / "owners"


class SqliteFile(OpenFile):
    """The open file of the log."""

    def __init__(self, options: LogOptions, owner: Owner, *, check: bool) -> None:
        super().__init__(
            options.path, check=check, prepare=prepare, lock_wait=options.times.lock_wait
        )
        self._options = options
        self._owner = owner
        self.rows = Rows(
            self._connection,
            owner=owner.name,
            clock=options.clock,
            retention=options.retention,
            store_text=options.store_text,
        )

    def heartbeat(self) -> None:
        """Hold the lock and record that this owner lives."""
        self._owner.hold()
        now = self._options.clock()
        self.do(lambda: heartbeat(self._connection, self._owner.name, now), writes=True)

    def try_room(self) -> None:
        """Write and delete as much as a busy second brings, to see whether there is room for it.

        If there is room to write it and none to delete it, it stays until the next time.
        """
        self.do(lambda: self._connection.execute(_BLANK, (_ROOM_BYTES,)), writes=True)
        gone = "DELETE FROM events WHERE request = 0"
        self.do(lambda: self._connection.execute(gone), writes=True)

    def recover(self) -> None:
        """Interrupt what dead owners have left running."""
        now, folder = self._options.clock(), self._options.owners
        dead = self._options.times.dead
        listed = dict.fromkeys(locks(folder), 0.0)  # a lock may outlive a file that was moved away
        listed.update(self.do(lambda: seen(self._connection), writes=False))
        for name, seen_at in listed.items():
            if name != self._owner.name and not lives(folder, name, now - seen_at, dead=dead):
                self._interrupt(name)
                remove_stale_lock(folder, name)

    def delete_old(self) -> bool:
        """Delete some of what is past its retention; whether there may be more of it."""
        now = self._options.clock()
        oldest = now - self._options.retention
        remove_damaged(self._options.path, before=oldest)
        return self.do(
            lambda: delete_old(self._connection, oldest=oldest, now=now, most=_DELETED_AT_ONCE),
            writes=True,
        )

    def mark_interrupted(self) -> None:
        """Interrupt what this owner has left running, and remove the owner."""
        self._interrupt(self._owner.name)

    def _interrupt(self, name: str) -> None:
        now = self._options.clock()
        self.do(lambda: interrupt(self._connection, name, now), writes=True)


_log = logging.getLogger(__name__)


class SqliteWorker(StoreThread[SqliteFile, Op]):
    """Writes operations and the tails of runs; sends heartbeats, recovers, deletes what is old.

    It flushes and sends heartbeats more often while there are ``running``.
    """

    def __init__(
        self, options: LogOptions, owner: Owner, running: Mapping[str, Tail], *, on_cancel: OnCancel
    ) -> None:
        super().__init__("request_log", options.path, clock=options.clock, times=options.times)
        self.inbox = Inbox()
        self.protection = Protection(options.times.dead)
        self._options = options
        self._owner = owner
        self._running = running
        self._on_cancel = on_cancel
        self._loop = asyncio.get_running_loop()
        self._damaged = False
        self._ops: list[Op] = []
        self._flush_at = -math.inf
        self._recovered, self._heartbeat, self._tidied = _Every(), _Every(), _Every()

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        return self.inbox.qualify(super().status)

    def ask(self, op: Op) -> asyncio.Future[Any]:
        """Have it done, and the future of its result, in the running loop.

        Raises :class:`LogDownError` at once where the log is down.
        """
        if not self._health.status.up:
            if op.keep:
                self.inbox.put(op)
            raise LogDownError(self.status.problem)
        op.answer = asyncio.get_running_loop().create_future()
        self.inbox.put(op)
        return op.answer

    async def aclose(self) -> None:
        """Write what is pending, and end. Idempotent."""
        if not self._closing:
            self._closing = True
            self.inbox.put(Op())
        await asyncio.to_thread(self._thread.join)

    # Everything below runs in the thread.

    def _run(self) -> None:
        super()._run()
        self._owner.release()  # a lock file that is still there is a dead owner's from now on

    def _open(self) -> SqliteFile:
        file = SqliteFile(self._options, self._owner, check=self._damaged)
        try:
            self._send_heartbeat(file)
            if not self._health.status.up:
                file.try_room()
            file.recover()
        except BaseException:
            file.close()
            raise
        return file

    def _take(self, seconds: float | None) -> None:
        self._ops += self.inbox.take(self._idle_seconds() if seconds is None else seconds)

    def _idle_seconds(self) -> float:
        if self._running:
            return max(0.0, self._flush_at - time.monotonic())
        return self._times.recover

    def _work(self, store: SqliteFile, now: float) -> None:
        due = now >= self._flush_at or not self._health.status.up
        if due:
            self._ops[:0] = [Op(tail=tail) for tail in self.inbox.dirty()]
        if self._ops:
            self._batch(store, self._ops[:])
        if not self._health.status.up:
            self._damaged = self.inbox.overflowed = False
            self._health.works()
        if due:
            self._flush_at = now + self._times.flush
            self._pass_on_cancels(store)
        self._do_chores(store, now)

    def _commit(self, store: SqliteFile, items: Sequence[Op]) -> list[Any]:
        parts = parts_of([op.tail for op in items])

        def work() -> list[Any]:
            if parts:
                store.rows.write(parts)
            return [op.work(store.rows) for op in items]

        try:
            answers = store.do(work, writes=bool(parts) or any(op.writes for op in items))
        except BaseException:
            for part in parts:
                part.tail.moved = part.tail.moved or part.moved
            raise
        for part in parts:
            self.inbox.release(part.tail, part.count)
        return answers

    def _settle(self, items: Sequence[Op], results: Sequence[Any]) -> None:
        del self._ops[: len(items)]
        for op, answer in zip(items, results, strict=True):
            if op.then is not None:
                op.then(answer)
        _answer([(op.answer, got) for op, got in zip(items, results, strict=True)])

    def _refuse(self, store: SqliteFile, item: Op, error: Exception) -> None:
        _log.error("request_log_refused", exc_info=error)
        if item.tail is not None and item.tail.pending:
            self.inbox.drop(item.tail)
            self._batch(store, [item])
        else:
            self._decline([self._ops.pop(0)])

    def _fail(self, error: Exception) -> None:
        super()._fail(error)
        self._put_off()

    def _put_off(self) -> None:
        for op in self._ops:
            if op.tail is not None:
                self.inbox.mark(op.tail)
        self._decline(self._ops)
        self._ops = [op for op in self._ops if op.keep]

    def _decline(self, ops: Sequence[Op]) -> None:
        error = LogDownError(self.status.problem)
        _answer([(op.answer, error) for op in ops])

    def _replace(self) -> bool:
        """Set the damaged file aside. Where that fails, the operator is asked to move it."""
        self._damaged = True
        with suppress(OSError):
            if place := set_aside(self._path, self._which):
                self._health.set_aside(str(place))
                fields = {"file": str(self._path), "now": place.name}
                _log.error("request_log_set_aside", extra={"fields": fields})
        return False

    def _pass_on_cancels(self, file: SqliteFile) -> None:
        """Cancel here what other processes ask to be cancelled."""
        if file.do(file.rows.has_cancels, writes=False):
            for request, run in file.do(file.rows.take_cancels, writes=True):
                _call(self._loop, self._on_cancel, request, run)

    def _do_chores(self, file: SqliteFile, now: float) -> None:
        times = self._times
        if self._heartbeat.due(now, times.heartbeat if self._running else times.idle_heartbeat):
            self._send_heartbeat(file)
        if self._recovered.due(now, times.recover):
            file.recover()
        if self._tidied.due(self._options.clock(), times.tidy) and file.delete_old():
            self._tidied = _Every()

    def _send_heartbeat(self, file: SqliteFile) -> None:
        at = boot_seconds()
        file.heartbeat()
        self.protection.confirmed(at)

    def _finish(self) -> None:
        """Write what is pending, and interrupt what runs; other owners do it where this fails."""
        self._flush_at = -math.inf
        self._take(0)
        self._turn()
        if self._store is not None:
            self._store.mark_interrupted()
            self._owner.leave()


class _Every:
    """Whether something is due again. A clock that was set back makes it due."""

    def __init__(self) -> None:
        self._last = -math.inf

    def due(self, now: float, seconds: float) -> bool:
        if abs(now - self._last) < seconds:
            return False
        self._last = now
        return True


def _answer(answers: Sequence[tuple[asyncio.Future[Any] | None, Any]]) -> None:
    """Resolve futures, each in its own loop, with one call per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for future, answer in answers:
        if future is not None:
            by_loop.setdefault(future.get_loop(), []).append((future, answer))
    for loop, group in by_loop.items():
        _call(loop, _resolve, group)


def _call(loop: asyncio.AbstractEventLoop, work: Callable[..., object], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nothing waits any more
        loop.call_soon_threadsafe(work, *args)


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, LogDownError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
