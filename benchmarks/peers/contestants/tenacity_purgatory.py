"""What a careful engineer builds of two good libraries: a retry around a breaker for each model.

tenacity retries what may pass, twice, with exponential waits and full jitter; inside it each model
has purgatory's breaker with its defaults (five failures in a row, 30 s); then comes the next model.
The SDK's own retries are off, a try has 15 s, and nothing is asked again once text was shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anthropic import APIConnectionError, APIError, APIStatusError, AsyncAnthropic
from httpx2 import TransportError  # a broken stream comes as it is, in no class of the SDK
from purgatory import AsyncCircuitBreakerFactory  # type: ignore[import-not-found]  # in an environment of its own
from purgatory.domain.model import OpenedState  # type: ignore[import-not-found]  # in an environment of its own
from tenacity import (  # type: ignore[import-not-found]  # in an environment of its own
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from benchmarks.peers.contestants import KEY, LIMIT_SECONDS, MAX_TOKENS, MODELS, NoAnswerError
from benchmarks.peers.contestants.sdk import asked


def may_pass(error: BaseException) -> bool:
    """Worth another try: the connection, the limit, the server."""
    if isinstance(error, APIStatusError):
        return error.status_code == 429 or error.status_code >= 500
    return isinstance(error, APIConnectionError | TransportError)


class TenacityPurgatory:
    """The chain."""

    def __init__(self, client: AsyncAnthropic) -> None:
        self._client = client
        users_fault = (APIStatusError, lambda error: not may_pass(error))
        self._breakers = AsyncCircuitBreakerFactory(exclude=[users_fault])

    async def ask(self, question: str) -> str:
        for model in MODELS:
            try:
                async for attempt in self._tries(may_pass):
                    with attempt:
                        return await self._once(model, question)
            except (APIError, TransportError, OpenedState):
                if model == MODELS[-1]:
                    raise
        raise NoAnswerError

    async def stream(self, question: str) -> AsyncIterator[str]:
        shown: list[str] = []

        def worth(error: BaseException) -> bool:
            return not shown and may_pass(error)

        for model in MODELS:
            try:
                async for attempt in self._tries(worth):
                    with attempt:
                        async for text in self._pieces(model, question):
                            shown.append(text)
                            yield text
                        return
            except (APIError, TransportError, OpenedState):
                if shown or model == MODELS[-1]:
                    raise

    def _tries(self, worth: Callable[[BaseException], bool]) -> AsyncRetrying:
        return AsyncRetrying(
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.5, max=8),
            retry=retry_if_exception(worth),
            reraise=True,
        )

    async def _once(self, model: str, question: str) -> str:
        async with await self._breakers.get_breaker(model):
            message = await self._client.messages.create(
                model=model, max_tokens=MAX_TOKENS, messages=asked(question)
            )
        return "".join(block.text for block in message.content if block.type == "text")

    async def _pieces(self, model: str, question: str) -> AsyncIterator[str]:
        async with (
            await self._breakers.get_breaker(model),
            self._client.messages.stream(
                model=model, max_tokens=MAX_TOKENS, messages=asked(question)
            ) as stream,
        ):
            async for text in stream.text_stream:
                yield text


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[TenacityPurgatory]:
    client = AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0, timeout=LIMIT_SECONDS)
    async with client:
        yield TenacityPurgatory(client)
