"""Nobody is served an answer that was given for another's prompt."""

import asyncio

import pytest
from server_kit import FakeProvider, ask, assistant

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import BreakerSettings, RouteSettings
from failsoft.errors import AIUnavailable, SettingError
from failsoft.server import create_app

QUESTION = "How much do I owe?"
ALICE = "You talk to Alice, who owes 48,210 dollars."
BOB = "You talk to Bob, who owes nothing."
HERS = "Alice, you owe 48,210 dollars."
DOWN = (ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}'),)
ROUTES = {
    "a user's": RouteSettings(cache_key="balance"),
    "a tenant's": RouteSettings(cache_key="balance", cache_scope="tenant", cache_key_shared=True),
    "everybody's": RouteSettings(cache_key="balance", cache_scope="public", cache_key_shared=True),
    "everybody's, always": RouteSettings(
        cache="always", cache_key="balance", cache_scope="public", cache_key_shared=True
    ),
}


@pytest.fixture(params=ROUTES)
def ai(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ai = assistant(
        FakeProvider((HERS,), DOWN),
        routes={"balance": ROUTES[request.param]},
        breaker=BreakerSettings(metrics_only=True),
    )
    yield ai
    asyncio.run(ai.aclose(drain_seconds=0))


async def test_over_http(ai):
    app = create_app(ai)
    assert (await ask(app, message=QUESTION, system=ALICE, route="balance")).json[
        "response"
    ] == HERS
    his = (await ask(app, message=QUESTION, system=BOB, route="balance")).json
    assert (his["level"], "48,210" in str(his)) == ("minimal", False)
    hers = (await ask(app, message=QUESTION, system=ALICE, route="balance")).json
    assert (hers["level"], hers["response"]) == ("cached", HERS)


async def test_in_the_library(ai):
    assert (await ai.ask(QUESTION, system=ALICE, route="balance")).text == HERS
    his = await ai.ask(QUESTION, system=BOB, route="balance")
    assert (his.level, "48,210" in his.text) == ("minimal", False)
    assert (await ai.ask(QUESTION, system=ALICE, route="balance")).level == "cached"


@pytest.mark.parametrize(
    "sent",
    [
        {"temperature": 0.5},
        {"tools": [{"name": "look_up", "input_schema": {"type": "object"}}]},
        {"stop_sequences": ["."]},
        {"metadata": {"user_id": "bob"}},
        {"anything": "new"},
    ],
    ids=lambda sent: next(iter(sent)),
)
async def test_whatever_else_was_sent(ai, sent):
    messages = [{"role": "user", "content": QUESTION}]
    asked = {"messages": messages, "max_tokens": 100, "route": "balance"}
    assert (await ai.complete(**asked)).text == HERS
    with pytest.raises(AIUnavailable):
        await ai.complete(**asked, **sent)


@pytest.mark.parametrize("scope", ["tenant", "public"])
def test_a_prompt_out_of_sight_is_shared_only_on_purpose(scope):
    with pytest.raises(SettingError, match="cache_key_shared = true"):
        RouteSettings(cache_key="balance", cache_scope=scope)
    assert RouteSettings(cache_key="balance", cache_scope=scope, cache_key_shared=True)
