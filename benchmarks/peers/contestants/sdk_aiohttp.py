"""The Anthropic SDK on its aiohttp transport; else as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anthropic import AsyncAnthropic, DefaultAioHttpClient

from benchmarks.peers.contestants import KEY
from benchmarks.peers.contestants.sdk import Sdk


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Sdk]:
    transport = DefaultAioHttpClient()
    async with AsyncAnthropic(api_key=KEY, base_url=url, http_client=transport) as client:
        yield Sdk(client)
