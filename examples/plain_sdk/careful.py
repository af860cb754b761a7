"""The same route and the same client, with every failure thought of: short limits and own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anthropic import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncAnthropic,
    BadRequestError,
    RateLimitError,
)
from anthropic.types import Message, TextBlock
from fastapi import FastAPI
from pydantic import BaseModel

__all__ = ["create_app"]

_MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5")
_CALL_SECONDS = 1.5
_WAIT_SECONDS = 0.2

_LATER = "The assistant could not answer. You did nothing wrong. Please ask again in a few minutes."
_BUSY = "Many people are asking right now. You did nothing wrong. Please ask again in a minute."
_REWORD = "The assistant cannot answer this. Please say it in other words, or ask our staff."


class Question(BaseModel):
    """What somebody asks."""

    question: str


def create_app() -> FastAPI:
    """The application; its client reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY."""
    # The client's own retries know neither the other model nor how long a person waits.
    client = AsyncAnthropic(max_retries=0, timeout=_CALL_SECONDS)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(title="Plain, with care", lifespan=lifespan)

    @app.post("/ask")
    async def ask(asked: Question) -> dict[str, str]:
        return {"answer": await _answer(client, asked.question)}

    return app


async def _answer(client: AsyncAnthropic, question: str) -> str:
    words = _LATER
    for model in _MODELS:
        try:
            return _text(await _call(client, model, question))
        except RateLimitError:
            words = _BUSY  # it limits the account: the other model shares it
            break
        except BadRequestError:
            return _REWORD
        except APIStatusError as error:
            if error.status_code < 500:  # noqa: PLR2004 - ours to mend, and the same with any model
                break
        except (APIConnectionError, APIError, ValueError, TypeError, OSError):
            pass  # the next model may do better
        await asyncio.sleep(_WAIT_SECONDS)
    return words


async def _call(client: AsyncAnthropic, model: str, question: str) -> Message:
    async with asyncio.timeout(_CALL_SECONDS):
        return await client.messages.create(
            model=model, max_tokens=500, messages=[{"role": "user", "content": question}]
        )


def _text(message: object) -> str:
    """The text of a message; raises ValueError for a reply that is none, such as a page of HTML."""
    if not isinstance(message, Message):
        raise ValueError("the reply is no message")  # noqa: TRY004 - a fact of the wire, not a bug
    texts = [block.text for block in message.content if isinstance(block, TextBlock)]
    if not texts or message.stop_reason == "refusal":
        raise ValueError("the message says nothing")
    return "".join(texts)
