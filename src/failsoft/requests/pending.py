"""What runs have given out and is not written yet, and how much of it there may be."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from failsoft.requests.tail import Tail

__all__ = ["MAX_PENDING_BYTES", "Pending"]

T = TypeVar("T", bound=Tail)

# Frames held in memory while they cannot be written.
MAX_PENDING_BYTES = 32 * 1024 * 1024


class Pending(Generic[T]):
    """The tails that have something to write, without a lock of ours.

    ``overflowed``: a frame was dropped for want of room.
    """

    def __init__(self) -> None:
        self._dirty: deque[T] = deque()
        self.overflowed = False
        # Each is counted by one thread only.
        self._bytes_in = 0
        self._bytes_out = 0

    def mark(self, tail: T) -> None:
        """Have what the tail holds written soon."""
        if not tail.dirty:
            tail.dirty = True
            self._dirty.append(tail)

    def dirty(self) -> list[T]:
        """Take all tails that were marked."""
        tails = [self._dirty.popleft() for _ in range(len(self._dirty))]
        for tail in tails:
            tail.dirty = False  # before its frames are taken: what comes after marks it anew
        return tails

    def add(self, tail: T, frame: bytes, event_id: int) -> bool:
        """Hold a frame until it is written; false where there is no room."""
        if self._bytes_in - self._bytes_out + len(frame) > MAX_PENDING_BYTES:
            self.overflowed = True
            return False
        self._bytes_in += len(frame)
        tail.frames.append((event_id, frame))
        self.mark(tail)
        return True

    def release(self, tail: T, count: int) -> None:
        """The first ``count`` frames of a tail are held no more."""
        held = tail.frames[:count]
        del tail.frames[:count]
        self._bytes_out += sum([len(frame) for _, frame in held])

    def drop(self, tail: T) -> None:
        """Give up what a tail holds, and whatever will come after it."""
        tail.torn = True
        tail.moved = False
        tail.last_id = tail.attempt = 0
        tail.retry_at = None
        self.release(tail, len(tail.frames))
