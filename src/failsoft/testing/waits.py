"""Retries that do not wait, for tests of code that uses :func:`failsoft.retry`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from failsoft.parts import pause

__all__ = ["no_waits"]


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
