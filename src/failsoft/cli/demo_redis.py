"""The Redis of the demo: one of its own where that is installed, and a way to cut it off."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from failsoft.config.settings import Settings
from failsoft.engine.portal import Portal

__all__ = ["DemoRedis", "with_redis"]

T = TypeVar("T")
Cut = Callable[[bool], Awaitable[None]]

_NO_CLIENT = "There is no Redis here to cut off: pip install 'failsoft[redis]' and start again."
_NO_SERVER = "There is no Redis here to cut off: {why}, and start again."
_ANOTHER_KIND = "This Redis cannot be cut off from here: only an address with redis:// can."
_REDIS_PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRedis:
    """Settings that lead to it. ``cut`` is ``None`` where it cannot be cut off: see ``problem``.

    One of the demo's ``own`` keeps nothing when the demo ends.
    """

    settings: Settings
    cut: Cut | None = None
    problem: str = ""
    own: bool = False


@asynccontextmanager
async def with_redis(settings: Settings) -> AsyncIterator[DemoRedis]:
    """The Redis of the settings, else one that is started here, behind a proxy on this machine."""
    async with AsyncExitStack() as stack:
        url, problem, own = settings.redis_url, "", settings.redis_url is None
        if own:
            url, problem = await _own(stack)
        parts = None if url is None else _parts(url)
        if parts is None:
            yield DemoRedis(settings=settings, problem=problem or _ANOTHER_KIND)
            return
        target = f"http://{parts.hostname}:{parts.port or _REDIS_PORT}"
        proxied, cut = await stack.enter_async_context(_proxy(target))
        user = parts.netloc.rpartition("@")[0]
        netloc = f"{user}@{proxied}" if user else proxied
        led = replace(settings, redis_url=parts._replace(netloc=netloc).geturl())
        yield DemoRedis(settings=led, cut=cut, own=own)


async def _own(stack: AsyncExitStack) -> tuple[str | None, str]:
    """The address of one that ends with ``stack``, or why there is none."""
    from failsoft.chaos.cluster import ClusterError, Program, start_redis  # noqa: PLC0415 - slow

    if find_spec("redis") is None:
        return None, _NO_CLIENT
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="failsoft-demo-"))
    redis = Program("redis-server", Path(folder))
    stack.push_async_callback(redis.stop)
    try:
        return await start_redis(redis), ""
    except ClusterError as error:
        return None, _NO_SERVER.format(why=error)


def _parts(url: str) -> SplitResult | None:
    """An address that a proxy can stand in for: others are encrypted, or no address at all."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "redis" and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


@asynccontextmanager
async def _proxy(target: str) -> AsyncIterator[tuple[str, Cut]]:
    """Where a proxy listens, and what cuts it.

    In a loop of its own: a Redis has 100 ms to reply, and is not to seem slow where the demo's own
    loop is busy.
    """
    from failsoft.chaos.proxy import FaultProxy  # noqa: PLC0415 - slow to load

    portal, proxy = Portal("demo's Redis"), FaultProxy(target)

    async def there(work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.to_thread(portal.wait, work)

    async def cut(off: bool) -> None:  # noqa: FBT001 - as it is told
        await there(proxy.set("refuse" if off else "pass"))

    await there(proxy.__aenter__())
    try:
        yield proxy.url.removeprefix("http://"), cut
    finally:
        await asyncio.to_thread(portal.close, partial(proxy.__aexit__, None, None, None))
