"""The Anthropic SDK with failsoft inside: ``failsoft.wrap(client)``, a client of the same type."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anthropic import AsyncAnthropic

import failsoft
from benchmarks.peers.contestants import KEY
from benchmarks.peers.contestants.sdk import Sdk


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Sdk]:
    wrap = getattr(failsoft, "wrap", None)
    if wrap is None:
        raise NotImplementedError("this version has no failsoft.wrap")
    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:
        yield Sdk(wrap(client))
