"""The Anthropic SDK as it comes: one model, two retries, ten minutes for each try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from benchmarks.peers.contestants import KEY, MAX_TOKENS, MODELS


class Sdk:
    """A client, used as its documentation shows."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client

    async def ask(self, question: str) -> str:
        message = await self._client.messages.create(
            model=MODELS[0], max_tokens=MAX_TOKENS, messages=asked(question)
        )
        return "".join(block.text for block in message.content if block.type == "text")

    async def stream(self, question: str) -> AsyncIterator[str]:
        async with self._client.messages.stream(
            model=MODELS[0], max_tokens=MAX_TOKENS, messages=asked(question)
        ) as stream:
            async for text in stream.text_stream:
                yield text


def asked(question: str) -> list[MessageParam]:
    """The question as messages."""
    return [{"role": "user", "content": question}]


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Sdk]:
    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:
        yield Sdk(client)
