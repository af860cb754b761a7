"""What time it is: the running loop's, so that a test can bend it."""

from __future__ import annotations

import asyncio
import time

from failsoft.errors import FailsoftError

__all__ = ["monotonic", "running_loop"]


def monotonic() -> float:
    """Monotonic seconds: the running loop's clock, else the process's (both have one origin)."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


def running_loop() -> asyncio.AbstractEventLoop:
    """The running loop; raises :class:`~failsoft.errors.FailsoftError` where asyncio runs none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise FailsoftError(
            "Failsoft runs on asyncio, and no event loop of asyncio is running here. Under trio, "
            "or without a loop, call BlockingFailsoft in a thread (under trio by "
            "trio.to_thread.run_sync)"
        ) from None
