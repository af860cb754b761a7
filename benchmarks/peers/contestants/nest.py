"""The nest that grows by itself: each layer is sensible alone, and they multiply.

A breaker that opens after five straight failures, for 60 s, around three retries with a fixed wait
for each kind of error, around a chain of three models, around the SDK with its own two retries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anthropic import APIStatusError, APITimeoutError, AsyncAnthropic, RateLimitError

from benchmarks.peers.contestants import KEY, MAX_TOKENS, MODELS, NoAnswerError
from benchmarks.peers.contestants.sdk import asked

RETRIES = 3
FAILURES, OPEN_SECONDS = 5, 60.0


def wait_seconds(error: Exception) -> float:
    """A fixed wait for each kind."""
    match error:
        case RateLimitError():
            return 30.0
        case APITimeoutError():
            return 3.0
        case APIStatusError(status_code=status) if status >= 500:
            return 5.0
        case _:
            return 2.0


class Nest:
    """All layers."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client
        self._failures, self._opened_at = 0, 0.0

    async def ask(self, question: str) -> str:
        return "".join([piece async for piece in self._guarded(self._plain, question)])

    async def stream(self, question: str) -> AsyncIterator[str]:
        async for piece in self._guarded(self._streamed, question):
            yield piece

    async def _guarded(self, pieces: Pieces, question: str) -> AsyncIterator[str]:
        if self._failures >= FAILURES and time.monotonic() < self._opened_at + OPEN_SECONDS:
            raise NoAnswerError("open")
        try:
            async for piece in self._retried(pieces, question):
                yield piece
        except Exception:
            self._failures += 1
            self._opened_at = time.monotonic()
            raise
        self._failures = 0

    async def _retried(self, pieces: Pieces, question: str) -> AsyncIterator[str]:
        for left in range(RETRIES, -1, -1):
            try:
                async for piece in self._chained(pieces, question):
                    yield piece
            except Exception as error:
                if not left:
                    raise
                await asyncio.sleep(wait_seconds(error))
            else:
                return

    async def _chained(self, pieces: Pieces, question: str) -> AsyncIterator[str]:
        for model in MODELS:
            try:
                async for piece in pieces(model, question):
                    yield piece
            except Exception:
                if model == MODELS[-1]:
                    raise
            else:
                return

    async def _plain(self, model: str, question: str) -> AsyncIterator[str]:
        message = await self._client.messages.create(
            model=model, max_tokens=MAX_TOKENS, messages=asked(question)
        )
        yield "".join(block.text for block in message.content if block.type == "text")

    async def _streamed(self, model: str, question: str) -> AsyncIterator[str]:
        async with self._client.messages.stream(
            model=model, max_tokens=MAX_TOKENS, messages=asked(question)
        ) as stream:
            async for text in stream.text_stream:
                yield text


Pieces = Callable[[str, str], AsyncIterator[str]]


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Nest]:
    async with AsyncAnthropic(api_key=KEY, base_url=url) as client:
        yield Nest(client)
