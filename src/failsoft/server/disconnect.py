"""Works for a client as long as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

__all__ = ["GoneError", "attend", "hang_up"]

T = TypeVar("T")


class GoneError(Exception):
    """The client left."""


async def attend(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Do ``work``. Raises :class:`GoneError` when the client leaves; the work has ended then."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(hang_up(receive))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise GoneError
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def hang_up(receive: Receive) -> None:
    """Return once the client has hung up; its request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
