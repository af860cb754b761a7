"""Works for a client as long as it is there and the process may go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from failsoft.server.drain import Drain

__all__ = ["CutError", "GoneError", "attend"]

T = TypeVar("T")


class GoneError(Exception):
    """The client left."""


class CutError(Exception):
    """The process ends and cannot wait any longer."""


async def attend(work: Coroutine[Any, Any, T], *, receive: Receive, drain: Drain) -> T:
    """Do ``work``; the request's body must have been read.

    Raises :class:`GoneError` when the client leaves and :class:`CutError` when ``drain`` says so;
    the work has then been cancelled and has ended.
    """
    with drain.open() as cut:
        task = asyncio.create_task(work)
        leaving = asyncio.create_task(_leaving(receive))
        try:
            await asyncio.wait((task, leaving, cut), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise CutError if cut.done() else GoneError
        finally:
            task.cancel()
            leaving.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
