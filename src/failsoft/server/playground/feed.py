"""A live feed of events for every viewer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pydantic_core import to_json

from failsoft.server.problem import Problem
from failsoft.server.run import Frames
from failsoft.telemetry.events import Event

__all__ = ["MOST_BEHIND", "MOST_VIEWERS", "Feed", "Viewer"]

MOST_VIEWERS: Final = 32
"""Later viewers are asked to come again."""

MOST_BEHIND: Final = 512
"""Events a viewer may be behind; then the oldest are left out, and it gets their number."""

# The id of a request is what its answer can be read with: enough of it to know one's own.
_ID_SHOWN = 16

# A provider's own words may quote what it was sent.
_UNTOLD = ("detail",)


class Feed:
    """A subscriber of events, in any thread; without a viewer it does nothing.

    ``health`` gives a viewer's first message, sent again after every event.
    """

    def __init__(self, health: Callable[[], Mapping[str, Any]]) -> None:
        self._health = health
        self._viewers: set[Viewer] = set()
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Tell the viewers of it."""
        if self._viewers:
            frame = _frame_of(event)
            for viewer in tuple(self._viewers):
                viewer.tell(frame)

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """A new viewer; raises a :class:`~failsoft.server.problem.Problem` (429) at the limit."""
        if len(self._viewers) >= MOST_VIEWERS:
            raise Problem(
                429,
                f"At most {MOST_VIEWERS} may watch at a time. Close another playground.",
                headers={"retry-after": "5"},
            )
        viewer = Viewer(self._frame_of_health, ended=self._closed)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """Let all viewers go: the process ends."""
        self._closed = True
        for viewer in self._viewers:
            viewer.end()

    def _frame_of_health(self) -> bytes:
        return _frame({"type": "Health", **self._health()})


class Viewer:
    """One who watches: a :class:`~failsoft.server.responses.Source` with a bounded queue."""

    def __init__(self, health: Callable[[], bytes], *, ended: bool = False) -> None:
        self._health = health
        self._loop = asyncio.get_running_loop()
        self._frames: deque[bytes] = deque(maxlen=MOST_BEHIND)
        self._missed = 0
        self._looked = False
        self._ended = ended
        self._awaited: asyncio.Future[None] | None = None

    def tell(self, frame: bytes) -> None:
        """Queue an event; from any thread."""
        self._loop.call_soon_threadsafe(self._take, frame)

    async def read(self) -> Frames:
        """All that has happened since; waits where nothing has."""
        if self._looked and not (self._frames or self._ended):
            self._awaited = self._loop.create_future()
            await self._awaited
        news = bool(self._frames) or not self._looked
        data = b"".join(self._frames)
        if self._missed:
            data = _frame({"type": "Missed", "events": self._missed}) + data
        self._frames.clear()
        self._missed, self._looked = 0, True
        return Frames(data + self._health() if news else b"", self._ended)

    def wake(self) -> None:
        """Make a waiting :meth:`read` return."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def end(self) -> None:
        """Nothing more is sent."""
        self._ended = True
        self.wake()

    def close(self) -> None:
        """Nothing is held but the queue."""

    def _take(self, frame: bytes) -> None:
        self._missed += len(self._frames) == MOST_BEHIND
        self._frames.append(frame)
        self.wake()


def _frame_of(event: Event) -> bytes:
    fields = (name for name in event.__dataclass_fields__ if name not in _UNTOLD)
    told = {name: getattr(event, name) for name in fields}
    told["request_id"] = event.request_id[:_ID_SHOWN]
    return _frame({"type": type(event).__name__, **told})


def _frame(told: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % to_json(told, fallback=str, inf_nan_mode="null")
