"""Starts Redis, the servers and HAProxy, and stops all of them."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from failsoft.chaos.cluster.cluster import ANNOUNCE_SECONDS, DRAIN_SECONDS, Cluster, answers
from failsoft.chaos.cluster.program import Program
from failsoft.chaos.cluster.redis import start_redis
from failsoft.chaos.drills.process import Service

__all__ = ["open_cluster"]

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


def _server(name: str, folder: Path, upstream: str, redis_url: str) -> Service:
    place = folder / name
    place.mkdir()
    environment = {
        "FAILSOFT_ENV": "dev",
        "FAILSOFT_REDIS_URL": redis_url,
        "FAILSOFT_SERVER_ANNOUNCE_SECONDS": str(ANNOUNCE_SECONDS),
        "FAILSOFT_SERVER_DRAIN_SECONDS": str(DRAIN_SECONDS),
    }
    return Service(upstream=upstream, folder=place, environment=environment)


async def _start_balancer(
    balancer: Program,
    haproxy: Path,
    listener: socket.socket,
    servers: dict[str, Service],
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
