"""The one task that talks to Redis; batches commands, sends heartbeats, survives every error."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from failsoft.request_log.contract import (
    LogDownError,
    OnCancel,
    RecordRefusedError,
    RequestState,
)
from failsoft.request_log.redis_commands import Commands, Gift, PlacedTail, runs_key
from failsoft.request_log.redis_wire import Command, Wire, explain
from failsoft.request_log.unwritten import Pending, Protection, Tail, boot_seconds
from failsoft.storage.status import StoreHealth, StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = ["OwnerTasks", "RedisOp", "RedisWorker"]

_NOTE_SECONDS: Final = 60.0


class _Refusals:
    """Logs what Redis refuses, of each kind once a minute: it is tried twice a second."""

    def __init__(self) -> None:
        self._noted_at: dict[str, float] = {}

    def note(self, reply: object) -> None:
        """Log it if it is a refusal."""
        if not isinstance(reply, Exception):
            return
        kind = f"{type(reply).__name__} {str(reply).partition(' ')[0]}"
        now = time.monotonic()
        if now - self._noted_at.get(kind, -math.inf) >= _NOTE_SECONDS:
            self._noted_at[kind] = now
            _log.error("request_log_refused", exc_info=reply)


class OwnerTasks:
    """What an owner does regularly: heartbeats, cancels for others, runs of dead owners.

    Every method that waits raises what :meth:`Wire.send` raises, and what Redis refuses.
    """

    def __init__(
        self,
        owner: str,
        wire: Wire,
        commands: Commands,
        running: Mapping[str, Tail],
        *,
        on_cancel: OnCancel,
        times: StoreTimes,
    ) -> None:
        self.protection = Protection(times.dead)
        self.refusals = _Refusals()
        self._times = times
        self._heartbeat_at = -math.inf
        self._owner = owner
        self._wire = wire
        self._commands = commands
        self._running = running
        self._on_cancel = on_cancel
        self._living: set[str] = set()
        self._interrupted: list[str] = []  # dead owners that the next heartbeat removes
        self._blind_until = -math.inf

    def disconnected(self) -> None:
        """Redis cannot be reached, perhaps by no process: heartbeats may be missing."""
        self._blind_until = math.inf

    def may_be_dead(self, owner: str) -> bool:
        """Whether it is worth asking if an owner lives."""
        return owner not in self._living and time.monotonic() > self._blind_until

    async def connected(self) -> None:
        """Send a heartbeat. After an outage no owner is dead before it could send one too."""
        if self._blind_until == math.inf:
            self._blind_until = time.monotonic() + self._times.dead
        await self._heartbeat()

    async def do(self) -> None:
        """Do what is due."""
        if self._running:
            await self._pass_on_cancels()
        if time.monotonic() >= self._heartbeat_at:
            dead = await self._heartbeat()
            if time.monotonic() > self._blind_until:
                for owner in dead:
                    await self._mark_interrupted(owner)
                    self._interrupted.append(owner)

    async def close(self) -> None:
        """Interrupt what this owner has left running, and remove the owner."""
        await self._mark_interrupted(self._owner)
        for reply in await self._wire.send(self._commands.leave()):
            self.refusals.note(reply)

    async def _pass_on_cancels(self) -> None:
        """Cancel here what other processes ask to be cancelled, and then remove the request."""
        (cancels,) = await self._wire.send([self._commands.cancels()])
        if isinstance(cancels, Exception):  # the key is ours by its name, and holds another's
            self.refusals.note(cancels)
            await self._wire.require([self._commands.forget_cancels()])
            return
        for cancel in cancels:
            request, run = cancel.decode().rsplit(" ", 1)
            self._on_cancel(request, int(run))
        if cancels:
            await self._wire.require([self._commands.drop_cancels(len(cancels))])

    async def _heartbeat(self) -> list[str]:
        """Send a heartbeat; the dead owners."""
        removed, self._interrupted = self._interrupted, []
        at = boot_seconds()
        (living, dead), _ = await self._wire.require(self._commands.heartbeat(removed))
        self.protection.confirmed(at)
        self._living = {owner.decode() for owner in living}
        self._heartbeat_at = time.monotonic() + self._times.heartbeat
        return [owner.decode() for owner in dead]

    async def _mark_interrupted(self, owner: str) -> None:
        """Interrupt what an owner has left running."""
        (places,) = await self._wire.send([("SMEMBERS", runs_key(owner))])
        commands: list[Command] = []
        if isinstance(places, Exception):  # its runs are found when they are asked for
            self.refusals.note(places)
            places = ()
        for place in places:
            commands.append(self._commands.cut(place.decode(), owner, RequestState.INTERRUPTED))
            commands.append(("SREM", runs_key(owner), place))
        for reply in await self._wire.send(commands):
            self.refusals.note(reply)  # of one place: the others are ended all the same


_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class RedisOp:
    """Commands for Redis, and the future of their replies.

    ``tail`` is written before. ``keep``: in an outage it is done afterwards rather than never.
    """

    commands: Sequence[Command]
    tail: PlacedTail | None = None
    keep: bool = False
    answer: asyncio.Future[list[Any]] | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is still to be done: the caller may have been cancelled."""
        return self.keep or self.answer is None or not self.answer.done()


class RedisWorker:
    """Task that sends what was asked meanwhile in one batch. For the loop it is started on."""

    def __init__(
        self,
        wire: Wire,
        commands: Commands,
        owner_tasks: OwnerTasks,
        *,
        clock: Callable[[], float],
        times: StoreTimes,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.pending = Pending[PlacedTail]()
        self._health = StoreHealth("request_log", clock=clock, fields={"server": wire.where})
        self._wire = wire
        self._commands = commands
        self._owner_tasks = owner_tasks
        self._times = times
        self._ops: list[RedisOp] = []
        self._woken = asyncio.Event()
        self._connected = False
        self._closing = False
        self._retry_at = self._flush_at = -math.inf
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        return self.pending.qualify(self._health.status)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def put(self, op: RedisOp, *, soon: bool = True) -> None:
        """Have it done at once, or with what comes next. From any loop."""
        if asyncio.get_running_loop() is self.loop:
            self._take(op, soon)
        else:
            with suppress(RuntimeError):  # the loop is closed: nothing is done any more
                self.loop.call_soon_threadsafe(self._take, op, soon)

    async def aclose(self) -> None:
        """Write what is pending, and end. Idempotent."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        while not self._closing:
            await self._pause()
            await self._turn()
        await self._finish()

    async def _pause(self) -> None:
        until = self._flush_at if self._connected else self._retry_at
        with suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._woken.wait()
        self._woken.clear()

    async def _turn(self) -> None:
        now = time.monotonic()
        if not self._connected and now >= self._retry_at:
            await self._connect()
        ops, self._ops = [op for op in self._ops if op.wanted], []
        due = now >= self._flush_at or self._closing or not self.status.up
        if self._connected:
            await self._batch(ops, self.pending.dirty() if due else [])
        else:
            self._put_off(ops)
        if self._connected and not self.status.up:
            self.pending.overflowed = False
            self._health.works()
        if self._connected and due:
            self._flush_at = now + self._times.flush
            await self._guarded(self._owner_tasks.do)

    async def _batch(self, ops: Sequence[RedisOp], tails: Sequence[PlacedTail]) -> None:
        """Send it all, the tails of runs first."""
        pending = dict.fromkeys([*tails, *(op.tail for op in ops if op.tail is not None)])
        gifts = [g for tail in pending if tail.pending for g in self._commands.gifts(tail)]
        sent = [gift.command for gift in gifts] + [each for op in ops for each in op.commands]
        try:
            replies = iter(await self._wire.send(sent))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again later
            for gift in gifts:
                gift.tail.moved = True
                self.pending.mark(gift.tail)
            self._fail(error)
            self._put_off(ops)
            return
        for gift in gifts:
            self._given(gift, next(replies))
        for op in ops:
            answers = list(islice(replies, len(op.commands)))
            for reply in answers:
                self._owner_tasks.refusals.note(reply)
            _answer(op, answers)

    def _given(self, gift: Gift, reply: Any) -> None:
        self._owner_tasks.refusals.note(reply)
        if reply == 1:
            self.pending.release(gift.tail, gift.count)
        else:  # another owner has the run now, or Redis does not take it
            self.pending.drop(gift.tail)

    def _put_off(self, ops: Sequence[RedisOp]) -> None:
        self._ops[:0] = [op for op in ops if op.keep]
        for op in ops:
            if op.answer is not None and not op.answer.done():
                op.answer.set_exception(LogDownError(self.status.problem))

    async def _connect(self) -> None:
        self._connected = await self._guarded(self._wire.prepare) and await self._guarded(
            self._owner_tasks.connected
        )

    async def _guarded(self, work: Callable[[], Any]) -> bool:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again later
            self._fail(error)
            return False
        return True

    def _fail(self, error: Exception) -> None:
        """Report why; it is tried again after the retry time."""
        self._connected = False
        self._retry_at = time.monotonic() + self._times.retry
        self._owner_tasks.disconnected()
        self._health.fails(explain(error, self._wire.where))

    def _take(self, op: RedisOp, soon: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe takes no names
        self._ops.append(op)
        if soon:
            self._woken.set()

    async def _finish(self) -> None:
        """Write what is pending, and interrupt what runs; other owners do it where this fails."""
        await self._turn()
        if self._connected:
            await self._guarded(self._owner_tasks.close)
        await self._wire.aclose()


def _answer(op: RedisOp, replies: list[Any]) -> None:
    failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
    if op.answer is None or op.answer.done():
        return
    if failed is not None:
        op.answer.set_exception(RecordRefusedError(f"the request log refused it: {failed}"))
    else:
        op.answer.set_result(replies)
