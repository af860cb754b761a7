"""failsoft's ``complete``: the provider's own fields, and an error where there is no answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.peers.contestants import MAX_TOKENS
from benchmarks.peers.contestants.ask import Ask, started


class Complete(Ask):
    """Streams as ``ask`` does."""

    async def ask(self, question: str) -> str:
        messages = [{"role": "user", "content": question}]
        return (await self._ai.complete(messages=messages, max_tokens=MAX_TOKENS)).text


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Complete]:
    async with started(url) as ai:
        yield Complete(ai)
