"""Posts messages to a webhook, in order and beside everything else: no call ever waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import ClientTimeout

from failsoft.providers.sessions import SessionPerLoop

__all__ = ["Webhook"]

_log = logging.getLogger(__name__)

# Trouble with the network is when alerts fire, and may keep the webhook out of reach as well.
_WAITS_SECONDS = (1.0, 5.0, 30.0, 120.0)
_TIMEOUT_SECONDS = 5.0
_WAITING = 100


class Webhook:
    """Messages on their way to ``url``, which is a secret: no log names it.

    One that cannot be delivered is tried again after each of ``waits`` (seconds) and then dropped
    with a line in the log. When ``_WAITING`` messages wait, a further one is dropped the same way.
    Proxy and certificates come from the environment, as for the providers.
    """

    def __init__(self, url: str, *, waits: Sequence[float] = _WAITS_SECONDS) -> None:
        self._url = url
        self._waits = tuple(waits)
        self._sessions = SessionPerLoop(url)
        self._queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to post. To be called in the event loop that does it."""
        self._task = asyncio.create_task(self._run())

    def put(self, message: Mapping[str, Any]) -> None:
        """Have a message posted; returns at once."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            _dropped(message, f"{_WAITING} others wait")

    async def aclose(self, seconds: float) -> None:
        """Post what waits for at most so long, and end."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            _log.warning("alerts_unsent", extra={"fields": {"messages": self._queue.qsize() + 1}})
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._sessions.aclose()

    async def _run(self) -> None:
        while True:
            message = await self._queue.get()
            await self._deliver(message)
            self._queue.task_done()

    async def _deliver(self, message: Mapping[str, Any]) -> None:
        for wait in (*self._waits, None):
            problem = await self._post(message)
            if problem is None:
                return
            if wait is None:
                _dropped(message, problem)
                return
            await asyncio.sleep(wait)

    async def _post(self, message: Mapping[str, Any]) -> str | None:
        """What went wrong, without the address."""
        try:
            async with (await self._sessions.get()).post(
                self._url,
                json=message,
                allow_redirects=False,
                timeout=ClientTimeout(total=_TIMEOUT_SECONDS),
            ) as reply:
                taken = HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES
                return None if taken else f"it answered {reply.status}"
        except Exception as error:  # noqa: BLE001 - the next message must go out, whatever this one met
            return type(error).__name__


def _dropped(message: Mapping[str, Any], problem: str) -> None:
    fields = {"alert": message.get("alert"), "status": message.get("status"), "problem": problem}
    _log.error("alert_not_sent", extra={"fields": fields})
