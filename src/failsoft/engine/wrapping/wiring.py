"""Puts the engine into a client of the SDK."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from anthropic import Anthropic, AsyncAnthropic

from failsoft.engine.client import Failsoft
from failsoft.engine.wrapping.calls import Calls
from failsoft.engine.wrapping.middleware import AsyncMiddleware, BlockingMiddleware
from failsoft.engine.wrapping.others import Others
from failsoft.errors import SettingError

__all__ = ["wired"]

Client = Anthropic | AsyncAnthropic


def wired(client: Client, ai: Failsoft, *, chain: Sequence[str], route: str) -> Client:
    """A copy of ``client`` whose requests go through ``ai``. Raises SettingError."""
    if any(isinstance(one, AsyncMiddleware | BlockingMiddleware) for one in client.middleware):
        raise SettingError("client", "is wrapped already: wrap the one it was made of")
    core = ai._core  # noqa: SLF001 - the engine behind it
    calls = Calls(core, ai.notices, chain=chain, route=route, base_url=str(client.base_url))
    others = Others(client.max_retries, core.rng)
    if isinstance(client, AsyncAnthropic):
        return client.copy(
            max_retries=0, middleware=[*client.middleware, AsyncMiddleware(calls, others)]
        )
    blocking = BlockingMiddleware(calls, others)
    weakref.finalize(blocking, blocking.portal.close)
    return client.copy(max_retries=0, middleware=[*client.middleware, blocking])
