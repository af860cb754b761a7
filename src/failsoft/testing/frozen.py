"""Time that a test moves: waits pass at once, and nobody's clock on the wall is touched."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

__all__ = ["FrozenTime"]


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
