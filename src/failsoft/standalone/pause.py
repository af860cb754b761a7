"""Waiting: the one place where a part sleeps, so that a test can have it not to."""

from __future__ import annotations

import asyncio
import time

__all__ = ["blocking", "in_loop"]


def blocking(seconds: float) -> None:
    """Wait so many seconds in this thread."""
    time.sleep(seconds)


async def in_loop(seconds: float) -> None:
    """Wait so many seconds in the running loop."""
    await asyncio.sleep(seconds)
