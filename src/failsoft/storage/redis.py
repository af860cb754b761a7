"""Connections to the Redis or Valkey of a deployment, each wait with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final, TypeVar

from failsoft.errors import SettingError, extra
from failsoft.storage.times import StoreTimes

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["REDIS_TIMEOUT_SECONDS", "connect", "in_time"]

T = TypeVar("T")

_SLICES: Final = 5

REDIS_TIMEOUT_SECONDS: Final = StoreTimes().reply
"""For a connection to be made, and for a reply."""


def connect(
    url: str, *, timeout: float = REDIS_TIMEOUT_SECONDS, times_replies: bool = True
) -> Redis:
    """A client of that server, for one event loop; nothing is connected before its first command.

    Nothing is tried twice: the caller knows whether that is safe. ``timeout`` is in seconds;
    without ``times_replies`` it is for connections alone, and the caller limits the wait for
    replies, or listens. Raises :class:`~failsoft.errors.MissingExtraError` without the extra, and
    :class:`~failsoft.errors.SettingError` for a malformed address.
    """
    with extra("redis", "redis_url"):
        from redis.asyncio import Redis  # noqa: PLC0415 - an extra
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415
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
        "socket_timeout": timeout if times_replies else None,
        "socket_connect_timeout": timeout,
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
