"""The one task that talks to Redis; batches commands, sends heartbeats, survives every error."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from failsoft.request_log.contract import (
    LogDownError,
    OnCancel,
    RecordRefusedError,
    RequestState,
)
from failsoft.request_log.outbox import Pending, Protection, Tail, boot_seconds
from failsoft.request_log.redis_commands import DEAD_SECONDS, Commands, Gift, PlacedTail, runs_key
from failsoft.request_log.redis_wire import Command, Wire, explain
from failsoft.storage.outages import DROPPING
from failsoft.storage.status import StoreHealth, StoreStatus

__all__ = ["Courier", "Duties", "Op"]


_SIGN_SECONDS: Final = 2.0


class Duties:
    """Every method that waits raises what :meth:`Wire.require` raises."""

    def __init__(
        self,
        owner: str,
        wire: Wire,
        commands: Commands,
        running: Mapping[str, Tail],
        *,
        on_cancel: OnCancel,
    ) -> None:
        self.protection = Protection(DEAD_SECONDS)
        self._sign_at = -math.inf
        self._owner = owner
        self._wire = wire
        self._commands = commands
        self._running = running
        self._on_cancel = on_cancel
        self._living: set[str] = set()
        self._buried: list[str] = []
        self._blind_until = -math.inf

    def lost_sight(self) -> None:
        """Redis cannot be reached. It may be so for everybody, and nobody can give a sign."""
        self._blind_until = math.inf

    def may_be_dead(self, owner: str) -> bool:
        """Whether it is worth asking if an owner lives."""
        return owner not in self._living and time.monotonic() > self._blind_until

    async def arrive(self) -> None:
        """Give a sign. After an outage no process is dead before they could give one too."""
        if self._blind_until == math.inf:
            self._blind_until = time.monotonic() + DEAD_SECONDS
        await self._sign()

    async def do(self) -> None:
        """The work that is due."""
        if self._running:
            await self._hear()
        if time.monotonic() >= self._sign_at:
            dead = await self._sign()
            if time.monotonic() > self._blind_until:
                for owner in dead:
                    await self._strike_off(owner)
                    self._buried.append(owner)

    async def leave(self) -> None:
        """End what we have left running, and go."""
        await self._strike_off(self._owner)
        await self._wire.require(self._commands.leave())

    async def _hear(self) -> None:
        """Pass on what other processes ask to be cancelled; only then is it struck out."""
        (words,) = await self._wire.require([self._commands.words()])
        for word in words:
            request, run = word.decode().rsplit(" ", 1)
            self._on_cancel(request, int(run))
        if words:
            await self._wire.require([self._commands.heard(len(words))])

    async def _sign(self) -> list[str]:
        """Give a sign; who is dead."""
        buried, self._buried = self._buried, []
        at = boot_seconds()
        (living, dead), _ = await self._wire.require(self._commands.sign(buried))
        self.protection.confirmed(at)
        self._living = {owner.decode() for owner in living}
        self._sign_at = time.monotonic() + _SIGN_SECONDS
        return [owner.decode() for owner in dead]

    async def _strike_off(self, owner: str) -> None:
        """Interrupt what an owner has left running."""
        (places,) = await self._wire.require([("SMEMBERS", runs_key(owner))])
        commands: list[Command] = []
        for place in places:
            commands.append(self._commands.cut(place.decode(), owner, RequestState.INTERRUPTED))
            commands.append(("SREM", runs_key(owner), place))
        for reply in await self._wire.send(commands):
            _note_refusal(reply)  # of one place: the others are ended all the same


_log = logging.getLogger(__name__)

# The contract says 250 ms; the way there takes some of it.
_FLUSH_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 2.0


@dataclass(slots=True, eq=False, kw_only=True)
class Op:
    """Something asked of Redis, and who waits for the replies.

    ``tail`` is written before. ``keep``: in an outage it is done afterwards rather than never.
    """

    commands: Sequence[Command]
    tail: PlacedTail | None = None
    keep: bool = False
    answer: asyncio.Future[list[Any]] | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is still to be done: who asked may have left."""
        return self.keep or self.answer is None or not self.answer.done()


class Courier:
    """Sends all that was asked meanwhile in one go, and answers. For the loop it is started on."""

    def __init__(
        self,
        wire: Wire,
        commands: Commands,
        duties: Duties,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.pending = Pending[PlacedTail]()
        self._health = StoreHealth("request_log", clock=clock, fields={"server": wire.where})
        self._wire = wire
        self._commands = commands
        self._duties = duties
        self._ops: list[Op] = []
        self._kept: list[Op] = []
        self._woken = asyncio.Event()
        self._connected = False
        self._closing = False
        self._retry_at = self._flush_at = -math.inf
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> StoreStatus:
        """Whether the log works, and what to do if not."""
        status = self._health.status
        if status.up or not self.pending.overflowed:
            return status
        return replace(status, problem=status.problem + DROPPING)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def put(self, op: Op, *, soon: bool = True) -> None:
        """Have it done at once, or with what comes next. From any loop."""
        if asyncio.get_running_loop() is self.loop:
            self._take(op, soon)
        else:
            with suppress(RuntimeError):  # the loop is closed: nothing is done any more
                self.loop.call_soon_threadsafe(self._take, op, soon)

    async def aclose(self) -> None:
        """Write what there is, and end. Idempotent."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        while not self._closing:
            await self._pause()
            await self._turn()
        await self._leave()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._free_seconds()):
                await self._woken.wait()
        self._woken.clear()

    def _free_seconds(self) -> float:
        until = self._flush_at if self._connected else self._retry_at
        return until - time.monotonic()

    async def _turn(self) -> None:
        now = time.monotonic()
        if not self._connected and now >= self._retry_at:
            await self._rise()
        ops, self._ops = [op for op in self._ops if op.wanted], []
        due = self._connected and (now >= self._flush_at or self._closing)
        await self._batch(ops, self.pending.dirty() if due else [])
        if due and self._connected:
            self._flush_at = now + _FLUSH_SECONDS
            await self._guarded(self._duties.do)

    async def _batch(self, ops: Sequence[Op], tails: Sequence[PlacedTail]) -> None:
        """Send it all, what runs gave out first."""
        if not self._connected:
            self._put_off(ops)
            return
        pending = dict.fromkeys([*tails, *(op.tail for op in ops if op.tail is not None)])
        gifts = [g for tail in pending if tail.pending for g in self._commands.gifts(tail)]
        sent = [gift.command for gift in gifts] + [each for op in ops for each in op.commands]
        try:
            replies = iter(await self._wire.send(sent))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again later
            for gift in gifts:
                gift.tail.moved = True
                self.pending.mark(gift.tail)
            self._fall(error)
            self._put_off(ops)
            return
        for gift in gifts:
            self._given(gift, next(replies))
        for op in ops:
            _answer(op, list(islice(replies, len(op.commands))))

    def _given(self, gift: Gift, reply: Any) -> None:
        _note_refusal(reply)
        if reply == 1:
            self.pending.release(gift.tail, gift.count)
        else:  # it is not this process's any more, or nothing that Redis takes
            self.pending.drop(gift.tail)

    def _put_off(self, ops: Sequence[Op]) -> None:
        self._kept += [op for op in ops if op.keep]
        for op in ops:
            if op.answer is not None and not op.answer.done():
                op.answer.set_exception(LogDownError(self.status.problem))

    async def _rise(self) -> None:
        """Find out whether it works, and write what was held; up once that is done."""
        if not await self._guarded(self._wire.prepare) or not await self._guarded(
            self._duties.arrive
        ):
            return
        self._connected = True
        kept, self._kept = self._kept, []
        await self._batch(kept, self.pending.dirty())
        if self._connected:
            self._up()

    async def _guarded(self, work: Callable[[], Any]) -> bool:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again later
            self._fall(error)
            return False
        return True

    def _up(self) -> None:
        self.pending.overflowed = False
        self._health.works()

    def _fall(self, error: Exception) -> None:
        """Say why; it is tried again later."""
        self._connected = False
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        self._duties.lost_sight()
        self._health.fails(explain(error, self._wire.where))

    def _take(self, op: Op, soon: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe takes no names
        self._ops.append(op)
        if soon:
            self._woken.set()

    async def _leave(self) -> None:
        """Write what there is, and go. What cannot be written is taken over like a dead one's."""
        await self._turn()
        if self._connected:
            await self._guarded(self._duties.leave)
        await self._wire.aclose()


def _note_refusal(reply: object) -> None:
    if isinstance(reply, Exception):
        _log.error("request_log_refused", exc_info=reply)


def _answer(op: Op, replies: list[Any]) -> None:
    failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
    _note_refusal(failed)
    if op.answer is None or op.answer.done():
        return
    if failed is not None:
        op.answer.set_exception(RecordRefusedError(f"the request log refused it: {failed}"))
    else:
        op.answer.set_result(replies)
