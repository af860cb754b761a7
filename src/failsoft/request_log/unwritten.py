"""What runs have sent and the log has not written yet, and the requests followed from here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from failsoft.request_log.contract import FOLLOW_SECONDS, Entry
from failsoft.storage.status import StoreStatus

__all__ = [
    "MAX_PENDING_BYTES",
    "Follows",
    "Part",
    "Pending",
    "PendingEntry",
    "Protection",
    "Tail",
    "boot_seconds",
    "parts_of",
]


# A heartbeat protects for less long than others wait for the next one: clocks drift.
_MARGIN_SECONDS = 2.0

# How long a run goes on without asking again where the log does not answer.
_EXCUSED_SECONDS = 1.0


_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def boot_seconds() -> float:
    """Seconds that go on while the machine sleeps, where the system counts them."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Protection:
    """Until when no other process can have taken over what this process runs.

    That is ``dead_seconds`` after its last confirmed heartbeat, less a margin. A process that was
    silent for longer may have been taken for dead: each of its runs has then to be renewed,
    whatever heartbeats came since. Written in one thread at a time.
    """

    def __init__(self, dead_seconds: float) -> None:
        self._seconds = dead_seconds - min(_MARGIN_SECONDS, dead_seconds / 5)
        self._until = 0.0
        self._lapses = 0

    def confirmed(self, sent_at: float) -> None:
        """The log has the heartbeat that was sent at ``sent_at`` (:func:`boot_seconds`)."""
        if sent_at > self._until:
            self._lapses += 1
        self._until = max(self._until, sent_at + self._seconds)

    def covers(self, tail: Tail) -> bool:
        """Whether the run of ``tail`` cannot have been taken over."""
        now = boot_seconds()
        if tail.lapses == self._lapses and now < self._until:
            return True
        return now < tail.excused_until

    def renewed(self, tail: Tail) -> None:
        """The log has that run as this process's still."""
        tail.lapses = self._lapses

    def excuse(self, tail: Tail) -> None:
        """The log does not answer: no process can take the run over without it."""
        tail.excused_until = boot_seconds() + _EXCUSED_SECONDS


class Tail:
    """The unwritten end of one run: the event loop adds to it, the writer's thread takes from it.

    No lock: ``frames`` only grows at its end here and only shrinks at its start there, and each of
    the two is one step of the interpreter. ``last_id`` and ``shown`` hold for all that went out,
    written or not. ``torn``: a frame was dropped, so that none after it may be kept. ``lapses`` and
    ``excused_until`` are the :class:`Protection`'s.
    """

    __slots__ = (
        "attempt",
        "dirty",
        "excused_until",
        "frames",
        "lapses",
        "last_id",
        "moved",
        "request",
        "retry_at",
        "run",
        "shown",
        "torn",
    )

    def __init__(self, request: str, run: int) -> None:
        self.request = request
        self.run = run
        self.last_id = 0
        self.shown = False
        self.attempt = 0
        self.retry_at: float | None = None
        self.frames: list[tuple[int, bytes]] = []
        self.moved = False
        self.dirty = False
        self.torn = False
        self.lapses = 0
        self.excused_until = 0.0

    @property
    def pending(self) -> bool:
        """Whether there is something to write."""
        return self.moved or bool(self.frames)

    def part(self) -> Part:
        """What there is to write now. It stays here until it is written."""
        moved, self.moved = self.moved, False
        frames = self.frames[:]
        last = frames[-1][0] if frames else 0
        data = b"".join([frame for _, frame in frames])
        return Part(self, moved, len(frames), last, data)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What of a tail is written in one go: whether attempt or ``shown`` changed, and frames."""

    tail: Tail
    moved: bool
    count: int
    last: int
    data: bytes


def parts_of(tails: Iterable[Tail | None]) -> list[Part]:
    """What there is to write of these tails, each once."""
    known = [tail for tail in dict.fromkeys(tails) if tail is not None]
    return [tail.part() for tail in known if tail.pending]


T = TypeVar("T", bound=Tail)

# Frames held in memory while they cannot be written.
MAX_PENDING_BYTES = 32 * 1024 * 1024

_DROPPING: Final = "; what is given out meanwhile no longer fits in memory and is lost to the log"


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

    def qualify(self, status: StoreStatus) -> StoreStatus:
        """The status of the log, with what its outage costs."""
        if status.up or not self.overflowed:
            return status
        return replace(status, problem=status.problem + _DROPPING)

    def mark(self, tail: T) -> None:
        """Have what the tail holds written soon."""
        if not tail.dirty:
            tail.dirty = True
            self._dirty.append(tail)

    def dirty(self) -> list[T]:
        """Take all tails that were marked."""
        tails = [self._dirty.popleft() for _ in range(len(self._dirty))]
        for tail in tails:
            tail.dirty = False  # before its frames are taken: what comes after marks it again
        return tails

    def add(self, tail: T, frame: bytes, event_id: int, *, shown: bool, kept: bool) -> None:
        """A frame went out. One that is ``kept`` is held until it is written, if there is room."""
        tail.last_id = event_id
        if shown and not tail.shown:
            tail.shown = tail.moved = True
        held = kept and not tail.torn and self._hold(tail, frame, event_id)
        if held or tail.moved:
            self.mark(tail)

    def go_on(self, tail: T, attempt: int, retry_at: float | None) -> None:
        """The run is in this attempt, and when (epoch seconds) the next is due."""
        tail.attempt, tail.retry_at = attempt, retry_at
        tail.moved = True
        self.mark(tail)

    def _hold(self, tail: T, frame: bytes, event_id: int) -> bool:
        if self._bytes_in - self._bytes_out + len(frame) > MAX_PENDING_BYTES:
            self.overflowed = tail.torn = True
            return False
        self._bytes_in += len(frame)
        tail.frames.append((event_id, frame))
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


class PendingEntry(Entry, Generic[T]):
    """The entry of a run of this process. A store says how it is renewed and ended."""

    durable = True

    def __init__(
        self, tail: T, pending: Pending[T], protection: Protection, *, keeps_text: bool
    ) -> None:
        self._tail = tail
        self._pending = pending
        self._protection = protection
        self._keeps_text = keeps_text
        self._ended = False

    def append(self, frame: bytes, event_id: int, *, shown: bool) -> None:
        """Hold one frame until it is written; see :meth:`Entry.append`."""
        if not self._ended:
            self._pending.add(self._tail, frame, event_id, shown=shown, kept=self._keeps_text)

    def progress(self, attempt: int, retry_at: float | None) -> None:
        """Have it written soon; see :meth:`Entry.progress`."""
        if not self._ended:
            self._pending.go_on(self._tail, attempt, retry_at)

    def covers(self) -> bool:
        """Whether no other process can have taken it over; see :meth:`Entry.covers`."""
        return self._protection.covers(self._tail)


class Follows:
    """When it was last written that a request is followed from this process."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}  # oldest first

    def due(self, request_id: str) -> bool:
        """Whether it is to be written again; counts as written then."""
        now = time.monotonic()
        if now - self._written.get(request_id, -FOLLOW_SECONDS) < FOLLOW_SECONDS / 3:
            return False
        self._written.pop(request_id, None)
        self._written[request_id] = now
        while now - next(iter(self._written.values())) > FOLLOW_SECONDS:
            del self._written[next(iter(self._written))]
        return True
