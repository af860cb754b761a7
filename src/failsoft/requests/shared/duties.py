"""What a process owes the others: signs of life, an ear for cancels, the runs of the dead."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Final

from failsoft.requests.log import OnCancel
from failsoft.requests.records import RequestState
from failsoft.requests.shared.commands import DEAD_SECONDS, Commands
from failsoft.requests.shared.keys import runs_key
from failsoft.requests.shared.wire import Command, Wire
from failsoft.requests.tail import Tail

__all__ = ["Duties"]

_SIGN_SECONDS: Final = 2.0


class Duties:
    """Every method that waits raises what :meth:`Wire.send` raises, and what Redis refuses."""

    def __init__(
        self,
        owner: str,
        wire: Wire,
        commands: Commands,
        running: Mapping[str, Tail],
        *,
        on_cancel: OnCancel,
    ) -> None:
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
        """Give a sign. After an outage nobody is dead before they could give one too."""
        if self._blind_until == math.inf:
            self._blind_until = time.monotonic() + DEAD_SECONDS
        await self._sign()

    async def do(self) -> None:
        """What is due."""
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
        await self._send(self._commands.leave())

    async def _hear(self) -> None:
        """Pass on what other processes ask to be cancelled; only then is it struck out."""
        (words,) = await self._send([self._commands.words()])
        for word in words:
            request, run = word.decode().rsplit(" ", 1)
            self._on_cancel(request, int(run))
        if words:
            await self._send([self._commands.heard(len(words))])

    async def _sign(self) -> list[str]:
        """Give a sign; who is dead."""
        buried, self._buried = self._buried, []
        (living, dead), _ = await self._send(self._commands.sign(buried))
        self._living = {owner.decode() for owner in living}
        self._sign_at = time.monotonic() + _SIGN_SECONDS
        return [owner.decode() for owner in dead]

    async def _strike_off(self, owner: str) -> None:
        """Interrupt what an owner has left running."""
        (places,) = await self._send([("SMEMBERS", runs_key(owner))])
        commands: list[Command] = []
        for place in places:
            commands.append(self._commands.cut(place.decode(), owner, RequestState.INTERRUPTED))
            commands.append(("SREM", runs_key(owner), place))
        await self._send(commands)

    async def _send(self, commands: list[Command]) -> list[Any]:
        replies = await self._wire.send(commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies
