"""The naive route with one line changed, and the words that come with it."""

from __future__ import annotations

from anthropic import APIError, AsyncAnthropic
from anthropic.types import TextBlock
from fastapi import FastAPI
from pydantic import BaseModel

import failsoft

__all__ = ["create_app"]

_MODEL = "claude-sonnet-5-5"


class Question(BaseModel):
    """What somebody asks."""

    question: str


def create_app() -> FastAPI:
    """The application; its client reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY."""
    client = failsoft.wrap(AsyncAnthropic(), chain=["claude-haiku-5-5"])
    app = FastAPI(title="Plain, wrapped")

    @app.post("/ask")
    async def ask(asked: Question) -> dict[str, str]:
        try:
            message = await client.messages.create(
                model=_MODEL,
                max_tokens=500,
                messages=[{"role": "user", "content": asked.question}],
            )
        except APIError as error:
            answer = failsoft.answer_of(error)
            words = answer.notice.body if answer and answer.notice else "Please try again later."
            return {"answer": words}
        block = message.content[0]
        return {"answer": block.text if isinstance(block, TextBlock) else ""}

    return app
