"""The shortest way from a question to an answer, and everything that goes wrong on it."""

from __future__ import annotations

from anthropic import AsyncAnthropic
from anthropic.types import TextBlock
from fastapi import FastAPI
from pydantic import BaseModel

__all__ = ["create_app"]

_MODEL = "claude-sonnet-5-5"


class Question(BaseModel):
    """What somebody asks."""

    question: str


def create_app() -> FastAPI:
    """The application; its client reads ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY."""
    client = AsyncAnthropic()
    app = FastAPI(title="Plain")

    @app.post("/ask")
    async def ask(asked: Question) -> dict[str, str]:
        try:
            message = await client.messages.create(
                model=_MODEL,
                max_tokens=500,
                messages=[{"role": "user", "content": asked.question}],
            )
        except Exception as error:  # noqa: BLE001 - as many do, and what it costs shows in the check
            return {"answer": f"Sorry, something went wrong: {error}"}
        block = message.content[0]
        return {"answer": block.text if isinstance(block, TextBlock) else ""}

    return app
