"""An application under trial: in an environment of its own, whatever it does to its loop."""

import os

import pytest
from anthropic import Anthropic, APIError
from fastapi import FastAPI

from failsoft.server import create_app
from failsoft.testing import Ask
from failsoft.testing.app_under_test import Trial, makes

PLAIN = Ask(path="/ask", body={"question": "{question}"}, shown=("answer",))


def blocking() -> FastAPI:
    """It stops its whole loop while it waits for a model, as is easily done."""
    app = FastAPI()

    @app.post("/ask")
    async def ask(asked: dict[str, str]) -> dict[str, str]:
        question = {"role": "user", "content": asked["question"]}
        try:
            with Anthropic(max_retries=0) as client:
                client.messages.create(model="one", max_tokens=9, messages=[question])
        except APIError:
            return {"answer": "cut"}
        return {"answer": "Fine."}

    return app


async def test_a_loop_that_is_blocked_blocks_no_check(monkeypatch):
    async with Trial.of(blocking, PLAIN) as trial:
        assert (await trial.ask("What?")).reply.shown == "Fine."
        trial.break_all("hang")
        monkeypatch.setattr("failsoft.testing.exchange.LIMIT_SECONDS", 1.0)
        seen = await trial.ask("What?")
    assert seen.reply.problem == "no reply came within 1 s"
    assert [call.model for call in seen.calls] == ["one"]


async def test_the_environment_is_its_own_and_then_as_before(monkeypatch):
    monkeypatch.setenv("FAILSOFT_DEADLINE_SECONDS", "7")
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    async with Trial.of(create_app, Ask()) as trial:
        assert os.environ["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
        assert os.environ["FAILSOFT_DEADLINE_SECONDS"] == "8"
        seen = await trial.ask("What?")
    assert (seen.reply.status, len(seen.calls), trial.inside) == (200, 1, True)
    assert seen.ended.level == "full"
    assert os.environ["FAILSOFT_DEADLINE_SECONDS"] == "7"
    assert "ANTHROPIC_BASE_URL" not in os.environ


def test_what_makes_an_application_is_told_from_one():
    assert makes(create_app)
    assert makes(lambda: None)
    assert not makes(FastAPI())
    with pytest.raises(TypeError, match="must be an ASGI application"):
        makes("module:app")


async def test_calls_in_both_dialects_are_seen(monkeypatch):
    monkeypatch.setenv("FAILSOFT_CHAIN", "anthropic/claude-opus-5-5,openai/gpt-5.5")
    async with Trial.of(create_app, Ask()) as trial:
        trial.break_all("bad_key")
        seen = await trial.ask("What?")
    assert [call.model for call in seen.calls] == ["claude-opus-5-5", "gpt-5.5"]
