"""Connections to the Redis or Valkey of a deployment, which never keep anybody waiting for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, TypeVar

from failsoft.errors import SettingError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["REDIS_TIMEOUT_SECONDS", "connect", "in_time"]

T = TypeVar("T")

_SLICES: Final = 5

REDIS_TIMEOUT_SECONDS: Final = 0.1
"""For a connection to be made, and for a reply. A frozen server holds a socket open for ever, and
the library's own 5 s, tried again several times, held up a call for 40 s when it was measured."""


def connect(url: str, *, timeout: float | None = REDIS_TIMEOUT_SECONDS) -> Redis:
    """A client of that server, for one event loop; nothing is connected before its first command.

    Nothing is tried twice: the caller knows better whether that can be done. ``timeout`` is in
    seconds, ``None`` where the caller keeps the time, or listens. Raises
    :class:`~failsoft.errors.SettingError` without the extra, and where the address is none.
    """
    try:
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415
    except ImportError:
        problem = "needs the extra `redis`: pip install 'failsoft[redis]'"
        raise SettingError("redis_url", problem) from None
    try:
        client = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except ValueError:
        raise SettingError("redis_url", "cannot be read as an address; it is not shown") from None
    # An address may carry options; these two it may not.
    client.connection_pool.connection_kwargs |= {
        "socket_timeout": timeout,
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS if timeout is None else timeout,
    }
    return client


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """What comes of ``work``, given up after so many seconds. Raises :class:`TimeoutError`.

    In slices: a loop that was held up itself sees that the time is over before it sees what has
    come meanwhile, and would take a server for slow that is not. A halt costs one slice, however
    long it was.
    """
    future = asyncio.ensure_future(work)
    try:
        for _ in range(_SLICES):
            await asyncio.wait((future,), timeout=seconds / _SLICES)
            if future.done():
                return future.result()
        raise TimeoutError
    finally:
        future.cancel()
