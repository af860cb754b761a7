"""Servers behind HAProxy while they run: who has ended, and restarts of one after the other."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus

import aiohttp

from failsoft.chaos.cluster.program import Program
from failsoft.chaos.cluster.trouble import ClusterError
from failsoft.chaos.drills.process import Service
from failsoft.chaos.drills.trouble import DrillError

__all__ = ["ANNOUNCE_SECONDS", "DRAIN_SECONDS", "Cluster", "answers"]

# HAProxy looks every half second, and once more before it leaves a server out.
ANNOUNCE_SECONDS = 2.0
DRAIN_SECONDS = 60.0
_PATIENCE_SECONDS = ANNOUNCE_SECONDS + DRAIN_SECONDS + 5.0

_READY_SECONDS = 30.0
_LOOK_SECONDS = 0.05
# At the end of all of it nobody's work hangs on it: what is open gets so long, and a last word.
_LAST_SECONDS = 1.0


class Cluster:
    """What :func:`.open_cluster` has started. ``tell`` is given lines for a person."""

    def __init__(
        self,
        *,
        servers: Mapping[str, Service],
        redis: Program,
        balancer: Program,
        session: aiohttp.ClientSession,
        tell: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._redis = redis
        self._balancer = balancer
        self._session = session
        self._tell = tell
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._restart_asked = asyncio.Event()

    def ask_restart(self) -> None:
        """Have :meth:`serve` restart the servers."""
        self._restart_asked.set()

    async def serve(self) -> None:
        """Go on until cancelled, or until HAProxy ends: raises :class:`.ClusterError` then."""
        self._watch(self._redis.name, self._redis, "the servers go on without it")
        for name, server in self._servers.items():
            self._watch_server(name, server)
        restarts = asyncio.create_task(self._restart_when_asked())
        try:
            code = await self._balancer.ended()
        finally:
            for task in (restarts, *self._watches.values()):
                task.cancel()
            await asyncio.wait((restarts, *self._watches.values()))
        raise ClusterError(f"haproxy {_ended(code)}, so nobody is let in: everything is stopped")

    async def restart(self) -> None:
        """Restart the servers, one after the other, so that no request is lost.

        Raises :class:`.ClusterError` or :class:`~failsoft.chaos.drills.DrillError` where one does
        not come back; the others go on.
        """
        for name, server in self._servers.items():
            self._unwatch(name)
            self._tell(f"{name} is told to stop: it finishes what it has, others get what is new")
            await server.stop(patience=_PATIENCE_SECONDS)
            await server.start()
            await self._until_ready(name, server)
            self._watch_server(name, server)
            self._tell(f"{name} has been restarted and takes requests")
        self._tell("every server has been restarted")

    async def end(self) -> None:
        """End every server, soon and whatever it does."""
        await asyncio.gather(*(_end(server) for server in self._servers.values()))

    async def _restart_when_asked(self) -> None:
        while await self._restart_asked.wait():
            self._restart_asked.clear()
            try:
                await self.restart()
            except (ClusterError, DrillError) as error:
                self._tell(f"the restart goes no further: {error}")

    async def _until_ready(self, name: str, server: Service) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await answers(self._session, f"{server.url}/readyz"):  # noqa: ASYNC110 - it says so only when asked
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise ClusterError(f"{name} is not ready after {_READY_SECONDS:g} s") from None

    def _watch_server(self, name: str, server: Service) -> None:
        self._watch(name, server, "the others go on, and a restart of all brings it back")

    def _watch(self, name: str, part: Program | Service, what_now: str) -> None:
        async def watch() -> None:
            code = await part.ended()
            self._tell(f"{name} {_ended(code)}: {what_now}")

        self._watches[name] = asyncio.create_task(watch())

    def _unwatch(self, name: str) -> None:
        if watch := self._watches.pop(name, None):  # none where it did not come back last time
            watch.cancel()


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether a GET there is answered with 200."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(url) as reply:
            return reply.status == HTTPStatus.OK
    return False


async def _end(server: Service) -> None:
    server.interrupt()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_SECONDS):
            await server.ended()
    server.interrupt()
    await server.stop()


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"has ended with exit code {code}"
