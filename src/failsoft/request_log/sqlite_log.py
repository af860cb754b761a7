"""The request log in a SQLite file, shared by all processes of one machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from failsoft.request_log.contract import (
    Conflict,
    Ending,
    Events,
    Intent,
    Known,
    LogDownError,
    OnCancel,
    Opened,
    Record,
    RecordExpiredError,
    RequestState,
    fresh,
)
from failsoft.request_log.process_lock import Owner
from failsoft.request_log.sqlite_rows import Rows
from failsoft.request_log.sqlite_worker import LogOptions, Op, SqliteWorker
from failsoft.request_log.unwritten import Follows, Protection, Tail, boot_seconds
from failsoft.storage.status import StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = ["SqliteLog"]

_FORSAKEN = Ending(state=RequestState.CANCELLED, retryable=True, status=None, body=None)


class SqliteLog:
    """A :class:`~failsoft.request_log.contract.RequestLog` in ``directory``, made if missing.

    What is committed survives a ``kill -9``. A power cut may take the last commits before it (WAL
    with ``synchronous = NORMAL``): a request may then be unknown, or known as it was a few seconds
    earlier, but the file stays whole. ``store_text=False`` keeps no frames, and no
    body but what was sent in place of an answer. ``times`` are its waits.
    """

    def __init__(
        self,
        directory: Path,
        *,
        store_text: bool = True,
        retention_seconds: float = 86400.0,
        clock: Callable[[], float] = time.time,
        times: StoreTimes = StoreTimes(),
    ) -> None:
        self._options = LogOptions(
            path=directory.absolute() / "requests.db",
            retention=retention_seconds,
            store_text=store_text,
            clock=clock,
            times=times,
        )
        self._owner = Owner(self._options.owners)
        self._worker: SqliteWorker | None = None
        self._tails: dict[str, Tail] = {}  # of the runs that are this process's, by request
        self._follows = Follows()

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        if self._worker is None:
            problem = f"request log {self._options.path}: not started"
            return StoreStatus(name="request_log", up=False, problem=problem, since=None)
        return self._worker.status

    @property
    def _protection(self) -> Protection | None:
        return None if self._worker is None else self._worker.protection

    def start(self, *, on_cancel: OnCancel) -> None:
        """Begin to work, on the running loop; ``on_cancel`` is called on it."""
        self._worker = SqliteWorker(self._options, self._owner, self._tails, on_cancel=on_cancel)
        self._worker.start()

    async def aclose(self) -> None:
        """Write what is pending and let go of everything. May be called more than once."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.aclose()
            self._tails.clear()

    async def open(self, intent: Intent) -> Opened | Known | Conflict:
        """Enter a request; see :meth:`RequestLog.open`."""
        opening = _Opening(intent, self._tails, self._protection)
        op = Op(work=opening.do, writes=True, then=opening.done)
        try:
            found: Opened | Known | Conflict = await self._ask(op)
        except LogDownError:
            now = self._options.clock()
            record = fresh(intent, owner=self._owner.name, now=now)
            return Opened(record, new=True, durable=False)
        except asyncio.CancelledError:
            if self._worker is not None:  # it would never run
                undo = Op(work=opening.undo, writes=True, then=opening.undone, keep=True)
                self._worker.inbox.put(undo)
            raise
        return found

    def append(
        self, request_id: str, run: int, frame: bytes, event_id: int, *, shown: bool
    ) -> None:
        """Keep one frame; see :meth:`RequestLog.append`."""
        worker = self._worker
        if worker is None or (tail := self._tails.get(request_id)) is None or tail.run != run:
            return
        worker.inbox.add(tail, frame, event_id, shown=shown, kept=self._options.store_text)

    def progress(self, request_id: str, run: int, attempt: int, retry_at: float | None) -> None:
        """Say that it runs; see :meth:`RequestLog.progress`."""
        worker = self._worker
        if worker is None or (tail := self._tails.get(request_id)) is None or tail.run != run:
            return
        worker.inbox.go_on(tail, attempt, retry_at)

    async def end(self, request_id: str, run: int, ending: Ending) -> bool:
        """End a run, exactly once; see :meth:`RequestLog.end`."""
        tail = self._last(request_id, run)
        op = Op(work=lambda rows: rows.end(tail, ending), writes=True, tail=tail, keep=True)
        try:
            ended: bool = await self._ask(op)
        except LogDownError:
            return True
        return ended

    def covers(self, request_id: str, run: int) -> bool:
        """Whether no other process can have taken it over; see :meth:`RequestLog.covers`."""
        worker, tail = self._worker, self._tails.get(request_id)
        if worker is None or tail is None or tail.run != run:
            return True
        return worker.protection.covers(tail)

    async def renew(self, request_id: str, run: int) -> bool:
        """Whether it is ours still; see :meth:`RequestLog.renew`."""
        worker, tail = self._worker, self._tails.get(request_id)
        if worker is None or tail is None or tail.run != run:
            return True
        at = boot_seconds()

        def renewed(ours: bool) -> None:  # noqa: FBT001 - the worker calls it with the answer
            worker.protection.confirmed(at)
            if ours:
                worker.protection.renewed(tail)

        op = Op(work=lambda rows: rows.renew(request_id, run), writes=True, then=renewed)
        try:
            ours: bool = await self._ask(op)
        except LogDownError:
            worker.protection.excuse(tail)
            return True
        return ours

    async def find(self, request_id: str, scope: str) -> Record | None:
        """The record; see :meth:`RequestLog.find`."""
        tail = self._tails.get(request_id)
        op = Op(work=lambda rows: rows.find(request_id, scope), tail=tail)
        found: Record | None = await self._ask(op)
        return found

    async def events(self, request_id: str, run: int, after: int) -> Events:
        """Frames of one run and the record; see :meth:`RequestLog.events`."""
        tail = self._tails.get(request_id)
        op = Op(work=lambda rows: rows.events(request_id, run, after), tail=tail)
        found: Events | None = await self._ask(op)
        if found is None:
            raise RecordExpiredError(request_id)
        return found

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """Ask the owner to cancel; see :meth:`RequestLog.cancel`."""
        tail = self._tails.get(request_id)
        op = Op(work=lambda rows: rows.cancel(request_id, scope), writes=True, tail=tail)
        found: Record | None = await self._ask(op)
        return found

    async def follow(self, request_id: str) -> None:
        """Say that a reader here follows it; see :meth:`RequestLog.follow`."""
        if self._worker is not None and self._worker.status.up and self._follows.due(request_id):
            op = Op(work=lambda rows: rows.follow(request_id), writes=True)
            self._worker.inbox.put(op)

    async def followed(self, request_id: str) -> bool:
        """Whether a reader elsewhere follows it; see :meth:`RequestLog.followed`."""
        found: bool = await self._ask(Op(work=lambda rows: rows.followed(request_id)))
        return found

    async def _ask(self, op: Op) -> Any:
        """Have it done, and its answer. Raises LogDownError, at once where the log is down."""
        if self._worker is None:
            raise LogDownError(self.status.problem)
        return await self._worker.ask(op)

    def _last(self, request_id: str, run: int) -> Tail:
        """The tail of a run that ends: nothing is added to it any more."""
        tail = self._tails.get(request_id)
        if tail is None or tail.run != run:
            return Tail(request_id, run)
        del self._tails[request_id]
        return tail


class _Opening:
    """Opens a request, and gives it back. In the worker's thread."""

    def __init__(
        self, intent: Intent, tails: dict[str, Tail], protection: Protection | None
    ) -> None:
        self._intent = intent
        self._tails = tails
        self._protection = protection
        self._record: Record | None = None

    def do(self, rows: Rows) -> Opened | Known | Conflict:
        found = rows.open(self._intent)
        self._record = found.record if isinstance(found, Opened) else None
        return found

    def done(self, _: object) -> None:
        """From now on what is appended is kept."""
        if record := self._record:
            tail = Tail(record.id, record.run)
            if self._protection is not None:
                self._protection.renewed(tail)
            self._tails[record.id] = tail

    def undo(self, rows: Rows) -> None:
        if record := self._record:
            rows.end(Tail(record.id, record.run), _FORSAKEN)

    def undone(self, _: object) -> None:
        if record := self._record:
            self._tails.pop(record.id, None)
