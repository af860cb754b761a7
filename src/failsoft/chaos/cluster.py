"""Servers behind HAProxy with a Redis: starts and stops them, restarts one after the other."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import aiohttp

from failsoft.chaos.drills.scenario_files import DrillError
from failsoft.chaos.drills.stage import StagedService
from failsoft.chaos.programs import ClusterError, Program, start_redis

__all__ = ["ANNOUNCE_SECONDS", "DRAIN_SECONDS", "Cluster", "answers", "open_cluster"]

# HAProxy looks every half second, and once more before it leaves a server out.
ANNOUNCE_SECONDS = 4.0
DRAIN_SECONDS = 60.0
_PATIENCE_SECONDS = ANNOUNCE_SECONDS + DRAIN_SECONDS + 5.0

_READY_SECONDS = 30.0
_LOOK_SECONDS = 0.05
# At the end of all of it no work depends on it: open requests get so long, and a last word.
_LAST_SECONDS = 1.0


class Cluster:
    """What :func:`open_cluster` has started. ``tell`` is given lines for a person."""

    def __init__(
        self,
        *,
        servers: Mapping[str, StagedService],
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

    async def _until_ready(self, name: str, server: StagedService) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await answers(self._session, f"{server.url}/readyz"):  # noqa: ASYNC110 - it says so only when asked
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise ClusterError(f"{name} is not ready after {_READY_SECONDS:g} s") from None

    def _watch_server(self, name: str, server: StagedService) -> None:
        self._watch(name, server, "the others go on, and a restart of all brings it back")

    def _watch(self, name: str, part: Program | StagedService, what_now: str) -> None:
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


async def _end(server: StagedService) -> None:
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


_NAMES = ("server-1", "server-2", "server-3")  # as in deploy/haproxy.cfg
_LOOK_TIMEOUT = aiohttp.ClientTimeout(total=2)


@asynccontextmanager
async def open_cluster(
    *, upstream: str, listener: socket.socket, haproxy: Path, tell: Callable[[str], None]
) -> AsyncIterator[Cluster]:
    """Three servers that call ``upstream``, with a Redis, behind HAProxy at ``listener``.

    ``haproxy`` is HAProxy's file. Every server has a folder of its own, and nothing is kept.
    Raises :class:`.ClusterError` or :class:`~failsoft.chaos.drills.DrillError`.
    """
    async with AsyncExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="failsoft-cluster-")
        folder = Path(stack.enter_context(temporary))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=_LOOK_TIMEOUT))
        redis, balancer = Program("redis-server", folder), Program("haproxy", folder)
        stack.push_async_callback(redis.stop)
        stack.push_async_callback(balancer.stop)
        redis_url = await start_redis(redis)
        servers = {name: _server(name, folder, upstream, redis_url) for name in _NAMES}
        cluster = Cluster(
            servers=servers, redis=redis, balancer=balancer, session=session, tell=tell
        )
        stack.push_async_callback(cluster.end)
        await asyncio.gather(*(server.start() for server in servers.values()))
        await _start_balancer(balancer, haproxy, listener, servers, session)
        yield cluster


def _server(name: str, folder: Path, upstream: str, redis_url: str) -> StagedService:
    place = folder / name
    place.mkdir()
    environment = {
        "FAILSOFT_ENV": "dev",
        "FAILSOFT_REDIS_URL": redis_url,
        "FAILSOFT_SERVER_ANNOUNCE_SECONDS": str(ANNOUNCE_SECONDS),
        "FAILSOFT_SERVER_DRAIN_SECONDS": str(DRAIN_SECONDS),
    }
    return StagedService(upstream=upstream, folder=place, environment=environment)


async def _start_balancer(
    balancer: Program,
    haproxy: Path,
    listener: socket.socket,
    servers: dict[str, StagedService],
    session: aiohttp.ClientSession,
) -> None:
    environment = {"FAILSOFT_BIND": f"fd@{listener.fileno()}"}
    for number, server in enumerate(servers.values(), 1):
        environment[f"FAILSOFT_SERVER_{number}"] = server.url.removeprefix("http://")
    port = listener.getsockname()[1]

    async def ready() -> bool:
        return await answers(session, f"http://127.0.0.1:{port}/readyz")

    await balancer.start(
        *("-db", "-f", str(haproxy)),
        ready=ready,
        environment=environment,
        pass_fds=(listener.fileno(),),
    )
    listener.close()  # where haproxy ends, people are turned away and not left waiting
