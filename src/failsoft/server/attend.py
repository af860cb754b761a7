"""Works for a client as long as it is there and the process may go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from starlette.types import Receive

from failsoft.server.drain import Drain

__all__ = ["CutError", "GoneError", "attend", "hang_up"]

T = TypeVar("T")


class GoneError(Exception):
    """The client left."""


class CutError(Exception):
    """The process ends and cannot wait any longer."""


async def attend(
    work: Coroutine[Any, Any, T], *, drain: Drain, leaving: Iterable[Coroutine[Any, Any, None]]
) -> T:
    """Do ``work``.

    Raises :class:`GoneError` when one of ``leaving`` returns, which says that the client left, and
    :class:`CutError` when ``drain`` says so; the work has then been cancelled and has ended.
    """
    with drain.open() as cut:
        task = asyncio.create_task(work)
        others = [asyncio.create_task(each) for each in leaving]
        try:
            ends: list[asyncio.Future[Any]] = [task, cut, *others]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise CutError if cut.done() else GoneError
        finally:
            for each in (task, *others):
                each.cancel()
            await asyncio.gather(task, *others, return_exceptions=True)


async def hang_up(receive: Receive) -> None:
    """Return once the client has hung up; its request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
