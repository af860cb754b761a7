"""What the event loop hands to the writer's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from failsoft.requests.pending import Pending
from failsoft.requests.rows import Rows
from failsoft.requests.tail import Tail

__all__ = ["Inbox", "Op"]


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


class Inbox(Pending[Tail]):
    """Two queues without a lock of ours: what is to be done at once, and what can wait a little."""

    def __init__(self) -> None:
        super().__init__()
        self._ops: SimpleQueue[Op] = SimpleQueue()

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
