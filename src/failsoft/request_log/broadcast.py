"""One run under way in this process, and those who read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Frames", "Live", "LiveReader"]

# Events that the fastest reader may be behind before the provider is no longer read from: a few
# screens of text. A slower one reads on from what is kept until the run ends.
_AHEAD = 256


class Frames(NamedTuple):
    """Events as they go out, in one piece; ``ended`` where the last of the run is among them.

    ``data`` is empty where a reader was only woken.
    """

    data: bytes
    ended: bool


class Live:
    """The events of one run, sent to any number of readers. For one event loop.

    What it holds is bounded by the length of one answer. It is an outlet with back-pressure: full
    while even the fastest reader is behind. ``on_left`` is called when the last reader leaves
    before the end; one that ``lingers`` goes on then, and is not full.
    """

    def __init__(self, first_id: int, *, lingers: bool, on_left: Callable[[], None]) -> None:
        self.first_id = first_id
        self.ended = False
        self._lingers = lingers
        self._on_left = on_left
        self.left_at = asyncio.get_running_loop().time()
        self._frames: list[bytes] = []
        self._readers: set[LiveReader] = set()
        self._farthest = 0
        self._room: asyncio.Future[None] | None = None

    @property
    def next_id(self) -> int:
        """The id of the event that comes next."""
        return self.first_id + len(self._frames)

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return bool(self._readers)

    @property
    def full(self) -> bool:
        """Whether even the fastest reader is behind."""
        behind = len(self._frames) - self._farthest >= _AHEAD
        return behind and (bool(self._readers) or not self._lingers)

    async def room(self) -> None:
        """Return once it is not full, or ended."""
        while self.full and not self.ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def append(self, frame: bytes) -> None:
        """Give one event out."""
        self._frames.append(frame)
        for reader in self._readers:
            reader.wake()

    def end(self, last: bytes) -> None:
        """Give the last event out; empty where there was none to give."""
        self.ended = True
        if last:
            self._frames.append(last)
        for reader in self._readers:
            reader.wake()
        self._give_room()

    @property
    def frames(self) -> Sequence[bytes]:
        """All events so far, the first of them with the id ``first_id``."""
        return self._frames

    def reader(self, after: int = 0) -> LiveReader:
        """A new reader of the events with ids above ``after``, to be closed in the end."""
        known = min(max(0, after - self.first_id + 1), len(self._frames))
        reader = LiveReader(self, known)
        self._readers.add(reader)
        return reader

    def since(self, position: int) -> Frames:
        """What there is from ``position`` on."""
        return Frames(b"".join(self._frames[position:]), self.ended)

    def advance(self, position: int) -> None:
        """A reader has come so far."""
        if position > self._farthest:
            self._farthest = position
            self._give_room()

    def leave(self, reader: LiveReader) -> None:
        """A reader leaves. Idempotent."""
        if reader not in self._readers:
            return
        self._readers.remove(reader)
        self.left_at = asyncio.get_running_loop().time()
        self._farthest = max((each.position for each in self._readers), default=self._farthest)
        self._give_room()
        if not self._readers and not self.ended:
            self._on_left()

    def _give_room(self) -> None:
        if self._room is not None and not self._room.done() and (self.ended or not self.full):
            self._room.set_result(None)


class LiveReader:
    """Reads one :class:`Live` from a position on."""

    def __init__(self, live: Live, position: int) -> None:
        self.position = position
        self._live = live
        self._awaited: asyncio.Future[None] | None = None

    async def read(self) -> Frames:
        """Return all there is; where there is nothing yet, wait until there is, or for a wake.

        A reader that comes for more has done with what there was.
        """
        live = self._live
        live.advance(self.position)
        if self.position >= live.next_id - live.first_id and not live.ended:
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        frames = live.since(self.position)
        self.position = live.next_id - live.first_id
        return frames

    def wake(self) -> None:
        """Make a waiting :meth:`read` return."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._live.leave(self)
