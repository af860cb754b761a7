"""The request log in Redis or Valkey, shared by all servers of a service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from failsoft.forks import in_every_child
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
from failsoft.request_log.process_lock import owner_name
from failsoft.request_log.redis_commands import (
    MAX_ID,
    Commands,
    PlacedTail,
    begin_after,
    place_key,
    place_of,
    record_of,
)
from failsoft.request_log.redis_wire import Command, Wire, slow
from failsoft.request_log.redis_worker import OwnerTasks, RedisOp, RedisWorker
from failsoft.request_log.unwritten import (
    Follows,
    Pending,
    PendingEntry,
    Protection,
    boot_seconds,
)
from failsoft.storage.status import StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = ["RedisLog"]

_log = logging.getLogger(__name__)

# The places of the requests that were asked for last.
_PLACES: Final = 10_000

# No lock says earlier that an owner is dead: five heartbeats.
_TIMES: Final = StoreTimes(dead=10.0)


class _RedisEntry(PendingEntry[PlacedTail]):
    """The entry of a run in Redis. ``tails`` are those of all that run, by request."""

    def __init__(
        self,
        tail: PlacedTail,
        pending: Pending[PlacedTail],
        protection: Protection,
        *,
        keeps_text: bool,
        ask: Callable[[RedisOp], Awaitable[list[Any]]],
        commands: Commands,
        tails: dict[str, PlacedTail],
    ) -> None:
        super().__init__(tail, pending, protection, keeps_text=keeps_text)
        self._ask = ask
        self._commands = commands
        self._tails = tails

    def append(self, frame: bytes, event_id: int, *, shown: bool) -> None:
        """Keep one frame; see :meth:`Entry.append`."""
        if event_id > MAX_ID:
            self._tail.torn = True
            return
        if not self._keeps_text and not self._ended:
            self._tail.moved = True
        super().append(frame, event_id, shown=shown)

    async def end(self, ending: Ending) -> bool:
        """End it, exactly once; see :meth:`Entry.end`."""
        if self._ended:
            return False
        self._ended, tail = True, self._tail
        self._tails.pop(tail.request, None)
        # A notice in place of an answer is text of our own.
        kept = self._keeps_text or ending.state is not RequestState.DONE
        end = self._commands.end(tail, ending, ending.body if kept else None)
        commands = [end, self._commands.let_go(tail.place)]
        try:
            replies = await self._ask(RedisOp(commands=commands, tail=tail, keep=True))
        except LogDownError:
            return True
        return bool(replies[0])

    async def renew(self) -> bool:
        """Whether it is ours still; see :meth:`Entry.renew`."""
        at, tail = boot_seconds(), self._tail
        try:
            *_, ours = await self._ask(RedisOp(commands=self._commands.renew(tail)))
        except LogDownError:
            self._protection.excuse(tail)
            return True
        self._protection.confirmed(at)
        if ours == 1:
            self._protection.renewed(tail)
        return bool(ours == 1)

    async def followed(self) -> bool:
        """Whether a reader elsewhere follows it; see :meth:`Entry.followed`."""
        followed = self._commands.followed(self._tail.request)
        (found,) = await self._ask(RedisOp(commands=[followed]))
        return bool(found)


class RedisLog:
    """A :class:`~failsoft.request_log.contract.RequestLog` in the Redis at ``url``.

    It lasts as long as that Redis keeps it: what a server that keeps nothing on disk has lost is as
    if it had never been asked. ``store_text=False`` keeps no frames, and no body but what was sent
    in place of an answer. Without a ``clock`` all times are those of Redis; ``times``
    are its waits. Raises :class:`~failsoft.errors.SettingError` without the extra, and for a
    malformed ``url``.
    """

    def __init__(
        self,
        url: str,
        *,
        store_text: bool = True,
        retention_seconds: float = 86400.0,
        clock: Callable[[], float] | None = None,
        times: StoreTimes = _TIMES,
    ) -> None:
        self._store_text = store_text
        self._clock = clock or time.time
        self._times = times
        self._make_commands = partial(
            Commands, retention=retention_seconds, dead=times.dead, clock=clock
        )
        self._wire = Wire(url, timeout=times.reply)
        self._begin()
        in_every_child(self._begin)
        self._tails: dict[str, PlacedTail] = {}  # of the runs that are this process's, by request
        self._places: dict[str, str] = {}
        self._follows = Follows()
        self._worker: RedisWorker | None = None
        self._owner_tasks: OwnerTasks | None = None

    def _begin(self) -> None:
        """Have a name of its own, in a process that was forked too."""
        self._owner = owner_name()
        self._commands = self._make_commands(self._owner)

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        if self._worker is None:
            problem = f"request log in Redis at {self._wire.where}: not started"
            return StoreStatus(name="request_log", up=False, problem=problem, since=None)
        return self._worker.status

    def start(self, *, on_cancel: OnCancel) -> None:
        """Begin to work, on the running loop; ``on_cancel`` is called on it."""
        shared = self._wire, self._commands
        self._owner_tasks = OwnerTasks(
            self._owner, *shared, self._tails, on_cancel=on_cancel, times=self._times
        )
        self._worker = RedisWorker(*shared, self._owner_tasks, clock=self._clock, times=self._times)
        self._worker.start()

    async def aclose(self) -> None:
        """Write what is pending and let go of everything. May be called more than once."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.aclose()
            self._tails.clear()

    async def open(self, intent: Intent) -> Opened | Known | Conflict:
        """Enter a request; see :meth:`RequestLog.open`."""
        try:
            commands = self._commands.open(intent)
        except UnicodeEncodeError as error:
            _log.error("request_log_refused", exc_info=error)
            return self._not_entered(intent)
        if not self.status.up:
            return self._not_entered(intent)
        try:
            how, record = await self._wire.in_time(self._open(intent, commands))
        except (LogDownError, TimeoutError):
            self._take_back(intent)  # whether it was entered is unknown
            return self._not_entered(intent)
        except asyncio.CancelledError:
            self._take_back(intent)  # it would never run
            raise
        return self._opened(intent, how, record)

    async def find(self, request_id: str, scope: str) -> Record | None:
        """The record; see :meth:`RequestLog.find`."""
        found = await self._read(request_id)
        return found.record if found is not None and found.record.scope == scope else None

    async def events(self, request_id: str, run: int, after: int) -> Events:
        """Frames of one run and the record; see :meth:`RequestLog.events`."""
        found = await self._read(request_id, run, after)
        if found is None:
            raise RecordExpiredError(request_id)
        return found

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """Ask the owner to cancel; see :meth:`RequestLog.cancel`."""
        record = await self.find(request_id, scope)
        if record is not None and not record.state.ended:
            await self._ask(RedisOp(commands=self._commands.ask_to_cancel(record)))
        return record

    async def follow(self, request_id: str) -> None:
        """Say that a reader here follows it; see :meth:`RequestLog.follow`."""
        if self.status.up and self._follows.due(request_id):
            self._put(self._commands.follow(request_id), soon=True)

    async def _open(self, intent: Intent, commands: list[Command]) -> tuple[bytes, Record]:
        *_, (how, flat) = await self._ask(RedisOp(commands=commands))
        record = record_of(flat)
        if how == b"known" and await self._cut_if_dead(place_of(intent), record):
            *_, (how, flat) = await self._ask(RedisOp(commands=commands))
            record = record_of(flat)
        return how, record

    def _opened(self, intent: Intent, how: bytes, record: Record) -> Opened | Known | Conflict:
        place = place_of(intent)
        self._remember(record.id, place)
        if intent.key is not None and intent.id != record.id:
            self._put(("UNLINK", place_key(intent.id)))
        if how == b"conflict":
            return Conflict()
        if how == b"known":
            return Known(record, ours=record.owner == self._owner and not record.state.ended)
        worker, tasks = self._worker, self._owner_tasks
        if worker is None or tasks is None:  # it was closed meanwhile
            return Opened(record, new=how == b"new")
        tail = self._tails[record.id] = PlacedTail(place, record.id, record.run)
        tasks.protection.renewed(tail)
        self._put(self._commands.hold(place), keep=True)
        if how == b"again":
            self._put(self._commands.locate(record.id, place), keep=True)
        entry = _RedisEntry(
            tail,
            worker.pending,
            tasks.protection,
            keeps_text=self._store_text,
            ask=self._ask,
            commands=self._commands,
            tails=self._tails,
        )
        return Opened(record, new=how == b"new", entry=entry)

    def _not_entered(self, intent: Intent) -> Opened:
        record = fresh(intent, owner=self._owner, now=self._clock())
        return Opened(record, new=True)

    def _take_back(self, intent: Intent) -> None:
        """End what ``intent`` may have opened, so that the same key can be asked for again."""
        cut = self._commands.cut
        state = RequestState.CANCELLED
        taken = cut(place_of(intent), self._owner, state, opener=intent.id)
        self._put(taken, keep=True, soon=True)

    async def _read(self, request_id: str, run: int | None = None, after: int = 0) -> Events | None:
        """What there is, once the end of a dead owner's run has been noticed."""
        place = await self._place(request_id)
        found = await self._look(place, request_id, run, after)
        if found is not None and await self._cut_if_dead(place, found.record):
            found = await self._look(place, request_id, run, after)
        return found

    async def _look(
        self, place: str, request_id: str, run: int | None, after: int
    ) -> Events | None:
        """Page by page; the record is the last one's, and frames that are there do not change."""
        pages, last_id, begin = [], after, begin_after(after)
        while True:
            command = self._commands.read(place, request_id, run, begin)
            op = RedisOp(commands=[command], tail=self._tails.get(request_id))
            ((flat, data, last, onward),) = await self._ask(op)
            if not flat:
                return None
            pages.append(data)
            last_id = int(last) if last else last_id
            if not onward:
                self._remember(request_id, place)
                return Events(b"".join(pages), last_id, record_of(flat))
            begin = onward.decode()

    async def _cut_if_dead(self, place: str, record: Record) -> bool:
        """Interrupt a run whose owner is dead; whether it was."""
        owner, tasks = record.owner, self._owner_tasks
        if record.state.ended or tasks is None or not tasks.may_be_dead(owner):
            return False
        (lives,) = await self._ask(RedisOp(commands=[self._commands.lives(owner)]))
        if not lives:
            cut = self._commands.cut(place, owner, RequestState.INTERRUPTED)
            await self._ask(RedisOp(commands=[cut]))
        return not lives

    async def _place(self, request_id: str) -> str:
        if (known := self._places.get(request_id)) is not None:
            return known
        (found,) = await self._ask(RedisOp(commands=[("GET", place_key(request_id))]))
        return found.decode() if found else request_id

    def _remember(self, request_id: str, place: str) -> None:
        self._places[request_id] = place
        if len(self._places) > _PLACES:
            del self._places[next(iter(self._places))]

    def _put(self, command: Command, *, keep: bool = False, soon: bool = False) -> None:
        """Have it done, without waiting for it."""
        if self._worker is not None:
            self._worker.put(RedisOp(commands=[command], keep=keep), soon=soon)

    async def _ask(self, op: RedisOp) -> list[Any]:
        """Have it done, and the replies. Raises LogDownError, at once where the log is down."""
        worker = self._worker
        if worker is None or not worker.status.up:
            if worker is not None and op.keep:
                worker.put(op)
            raise LogDownError(self.status.problem)
        if asyncio.get_running_loop() is not worker.loop:
            there = asyncio.run_coroutine_threadsafe(self._ask(op), worker.loop)
            return await asyncio.wrap_future(there)
        op.answer = worker.loop.create_future()
        worker.put(op)
        try:
            return await self._wire.in_time(op.answer)
        except TimeoutError:
            raise LogDownError(slow(self._wire.where)) from None
