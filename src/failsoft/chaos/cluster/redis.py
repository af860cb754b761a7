"""A Redis of one's own, which keeps nothing on disk."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from failsoft.chaos.cluster.program import Program

__all__ = ["start_redis"]


async def start_redis(redis: Program) -> str:
    """Start it on a free port of this machine; gives its address.

    Raises :class:`.ClusterError`, also where it is not installed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    where = ("--bind", "127.0.0.1", "--port", port)

    async def ready() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.close()
            return True
        return False

    await redis.start(*where, "--save", "", "--appendonly", "no", ready=ready)
    return f"redis://127.0.0.1:{port}/0"
