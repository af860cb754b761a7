"""Time that a test moves: waits pass at once, and the wall clock is left alone.

:func:`no_waits` makes retries of :func:`failsoft.retry` immediate.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from failsoft.standalone import pause

__all__ = ["FrozenTime", "no_waits"]


class FrozenTime:
    """The time of the event loops of this thread, from entering to leaving.

        async def test_the_breaker_lets_a_probe_through(frozen_time):
            ...
            frozen_time.advance(5)

    It stands still while anything is to be done. When all wait, it jumps to the first timer that is
    due: a backoff of ten seconds takes none. Everything that asyncio times follows it: failsoft's
    deadlines, timers, breakers and countdowns, ``asyncio.sleep`` and ``asyncio.timeout``.

    It does not know of work outside the loop. A reply under way on a socket, or a thread, is
    overtaken by the next timer, so use it with ``failing_ai`` and not with a simulator. Other
    threads, ``time.time()`` and loops that are not Python's own (uvloop) keep their time.
    """

    def __init__(self) -> None:
        # Going on from the real time, so that a loop that is running already sees no jump.
        self.now = time.monotonic()
        self._thread = threading.get_ident()
        self._patches = ExitStack()

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass; what was due meanwhile runs when the loop is next given way."""
        if not seconds >= 0:
            raise ValueError(f"time only goes forward: seconds must be 0 or more, not {seconds!r}")
        self.now += seconds

    def __enter__(self) -> Self:
        self._patches.enter_context(self._own_time())
        self._patches.enter_context(self._no_sleep())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._patches.close()

    def _here(self) -> bool:
        return threading.get_ident() == self._thread

    def _own_time(self) -> Any:
        real = asyncio.BaseEventLoop.time

        def now(loop: asyncio.BaseEventLoop) -> float:
            return self.now if self._here() else real(loop)

        return patch.object(asyncio.BaseEventLoop, "time", now)

    def _no_sleep(self) -> Any:
        real = selectors.DefaultSelector.select

        def select(selector: Any, timeout: float | None = None) -> Any:
            if timeout is None or timeout <= 0 or not self._here():
                return real(selector, timeout)
            ready = real(selector, 0)
            if not ready:
                self.now += timeout
            return ready

        return patch.object(selectors.DefaultSelector, "select", select)


@contextmanager
def no_waits() -> Iterator[list[float]]:
    """Let no :func:`~failsoft.retry` of this process wait; gives the list of the waits left out.

        with no_waits() as waits:
            fetch()
        assert len(waits) == 2

    The waits are in seconds, as they would have been. How often is tried, what is raised, and
    that a wait must fit into the deadline, stays as it is; time stands where it was.
    """
    waits: list[float] = []

    async def not_in_loop(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)  # others have their turn, as they would

    with patch.object(pause, "blocking", waits.append), patch.object(pause, "in_loop", not_in_loop):
        yield waits
