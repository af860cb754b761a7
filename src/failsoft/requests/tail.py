"""What a run has given out and is not written yet."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Part", "Tail"]


class Tail:
    """The unwritten end of one run: the event loop adds to it, the writer's thread takes from it.

    No lock: ``frames`` only grows at its end here and only shrinks at its start there, and each of
    the two is one step of the interpreter. ``last_id`` and ``shown`` hold for all that went out,
    written or not. ``torn``: a frame was dropped, so that none after it may be kept.
    """

    __slots__ = (
        "attempt",
        "dirty",
        "frames",
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

    @property
    def pending(self) -> bool:
        """Whether there is something to write."""
        return self.moved or bool(self.frames)

    def gave_out(self, event_id: int, *, shown: bool) -> None:
        """A frame went out."""
        self.last_id = event_id
        if shown and not self.shown:
            self.shown = self.moved = True

    def went_on(self, attempt: int, retry_at: float | None) -> None:
        """The run is in this attempt, and when (epoch seconds) the next is due."""
        self.attempt, self.retry_at = attempt, retry_at
        self.moved = True

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
