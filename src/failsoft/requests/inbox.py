"""What the event loop hands to the writer's thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from failsoft.requests.rows import Rows
from failsoft.requests.tail import Part, Tail

__all__ = ["MAX_PENDING_BYTES", "Inbox", "Op"]

# Frames held in memory while the disk cannot take them.
MAX_PENDING_BYTES = 32 * 1024 * 1024


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


class Inbox:
    """Two queues without a lock of ours: what is to be done at once, and what can wait a little.

    ``overflowed``: a frame was dropped for want of room.
    """

    def __init__(self) -> None:
        self._ops: SimpleQueue[Op] = SimpleQueue()
        self._dirty: deque[Tail] = deque()
        self.overflowed = False
        # Each is counted by one thread only.
        self._bytes_in = 0
        self._bytes_out = 0

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

    def mark(self, tail: Tail) -> None:
        """Have what the tail holds written soon."""
        if not tail.dirty:
            tail.dirty = True
            self._dirty.append(tail)

    def dirty(self) -> list[Tail]:
        """Take all tails that were marked."""
        tails = [self._dirty.popleft() for _ in range(len(self._dirty))]
        for tail in tails:
            tail.dirty = False  # before its frames are taken: what comes after marks it anew
        return tails

    def add(self, tail: Tail, frame: bytes, event_id: int) -> bool:
        """Hold a frame until it is written; false where there is no room."""
        if self._bytes_in - self._bytes_out + len(frame) > MAX_PENDING_BYTES:
            self.overflowed = True
            return False
        self._bytes_in += len(frame)
        tail.frames.append((event_id, frame))
        self.mark(tail)
        return True

    def written(self, part: Part) -> None:
        """This much is held no more."""
        del part.tail.frames[: part.count]
        self._bytes_out += len(part.data)

    def drop(self, tail: Tail) -> None:
        """Give up what a tail holds, and whatever will come after it."""
        tail.torn = True
        tail.moved = False
        tail.last_id = tail.attempt = 0
        tail.retry_at = None
        held = tail.frames[:]
        del tail.frames[: len(held)]
        self._bytes_out += sum(len(frame) for _, frame in held)
