"""LangChain: three ChatAnthropic joined by ``with_fallbacks``; two retries each, its default."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_anthropic import ChatAnthropic  # type: ignore[import-not-found]  # in an environment of its own

from benchmarks.peers.contestants import KEY, LIMIT_SECONDS, MAX_TOKENS, MODELS


class LangChain:
    """The chain."""

    def __init__(self, url: str) -> None:
        first, *others = (
            ChatAnthropic(
                model=model,
                api_key=KEY,
                base_url=url,
                max_tokens=MAX_TOKENS,
                timeout=LIMIT_SECONDS,
            )
            for model in MODELS
        )
        self._chain: Any = first.with_fallbacks(others)

    async def ask(self, question: str) -> str:
        return str((await self._chain.ainvoke(question)).text)

    async def stream(self, question: str) -> AsyncIterator[str]:
        async for chunk in self._chain.astream(question):
            yield str(chunk.text)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[LangChain]:
    yield LangChain(url)
