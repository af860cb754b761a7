"""What time it is: the running loop's, so that a test can bend it."""

from __future__ import annotations

import asyncio
import time

__all__ = ["monotonic"]


def monotonic() -> float:
    """Monotonic seconds: the running loop's clock, else the process's (both have one origin)."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
