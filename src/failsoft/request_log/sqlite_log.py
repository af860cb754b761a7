"""The request log in a SQLite file, shared by all processes of one machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
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
from failsoft.request_log.unwritten import (
    Follows,
    Pending,
    PendingEntry,
    Protection,
    Tail,
    boot_seconds,
)
from failsoft.storage.status import StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = ["SqliteLog"]

_FORSAKEN = Ending(state=RequestState.CANCELLED, retryable=True, status=None, body=None)


class SqliteLog:
    """A :class:`~failsoft.request_log.contract.RequestLog` in ``directory``, made if missing.

    Committed data survives a ``kill -9``. A power cut may take the last commits before it (WAL
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
        worker = self._worker
        if worker is None:
            return self._not_entered(intent)
        opening = _Opening(intent, self._tails, worker.protection)
        op = Op(work=opening.do, writes=True, then=opening.done)
        try:
            found: Opened | Known | Conflict = await worker.ask(op)
        except LogDownError:
            return self._not_entered(intent)
        except asyncio.CancelledError:  # it would never run
            undo = Op(work=opening.undo, writes=True, then=opening.undone, keep=True)
            worker.inbox.put(undo)
            raise
        if opening.tail is None or not isinstance(found, Opened):
            return found
        entry = _SqliteEntry(
            opening.tail,
            worker.inbox,
            worker.protection,
            keeps_text=self._options.store_text,
            ask=self._ask,
            tails=self._tails,
        )
        return replace(found, entry=entry)

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

    def _not_entered(self, intent: Intent) -> Opened:
        record = fresh(intent, owner=self._owner.name, now=self._options.clock())
        return Opened(record, new=True)

    async def _ask(self, op: Op) -> Any:
        """Have it done, and its answer. Raises LogDownError, at once where the log is down."""
        if self._worker is None:
            raise LogDownError(self.status.problem)
        return await self._worker.ask(op)


class _SqliteEntry(PendingEntry[Tail]):
    """The entry of a run in the file. ``tails`` are those of all that run, by request."""

    def __init__(
        self,
        tail: Tail,
        pending: Pending[Tail],
        protection: Protection,
        *,
        keeps_text: bool,
        ask: Callable[[Op], Awaitable[Any]],
        tails: dict[str, Tail],
    ) -> None:
        super().__init__(tail, pending, protection, keeps_text=keeps_text)
        self._ask = ask
        self._tails = tails

    async def end(self, ending: Ending) -> bool:
        """End it, exactly once; see :meth:`Entry.end`."""
        if self._ended:
            return False
        self._ended, tail = True, self._tail
        self._tails.pop(tail.request, None)
        work = partial(Rows.end, tail=tail, ending=ending)
        try:
            ended: bool = await self._ask(Op(work=work, writes=True, tail=tail, keep=True))
        except LogDownError:
            return True
        return ended

    async def renew(self) -> bool:
        """Whether it is ours still; see :meth:`Entry.renew`."""
        at, tail, protection = boot_seconds(), self._tail, self._protection

        def renewed(ours: bool) -> None:  # noqa: FBT001 - the worker calls it with the answer
            protection.confirmed(at)
            if ours:
                protection.renewed(tail)

        work = partial(Rows.renew, request=tail.request, run=tail.run)
        try:
            ours: bool = await self._ask(Op(work=work, writes=True, then=renewed))
        except LogDownError:
            protection.excuse(tail)
            return True
        return ours

    async def followed(self) -> bool:
        """Whether a reader elsewhere follows it; see :meth:`Entry.followed`."""
        work = partial(Rows.followed, request=self._tail.request)
        found: bool = await self._ask(Op(work=work))
        return found


class _Opening:
    """Opens a request, and gives it back. In the worker's thread.

    The two may be in one transaction: ``tail`` is known before :meth:`done`.
    """

    def __init__(self, intent: Intent, tails: dict[str, Tail], protection: Protection) -> None:
        self.tail: Tail | None = None
        self._intent = intent
        self._tails = tails
        self._protection = protection

    def do(self, rows: Rows) -> Opened | Known | Conflict:
        found = rows.open(self._intent)
        self.tail = None  # of a transaction that was begun again
        if isinstance(found, Opened):
            self.tail = Tail(found.record.id, found.record.run)
        return found

    def done(self, _: object) -> None:
        """From now on what is appended is kept."""
        if tail := self.tail:
            self._protection.renewed(tail)
            self._tails[tail.request] = tail

    def undo(self, rows: Rows) -> None:
        if tail := self.tail:
            rows.end(tail, _FORSAKEN)

    def undone(self, _: object) -> None:
        if tail := self.tail:
            self._tails.pop(tail.request, None)
