"""What people get when no model answers, over HTTP: a saved answer, a written one, a message."""

import asyncio

import pytest
from server_kit import FakeProvider, ask, assistant, call, stream

from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import BreakerSettings, CacheSettings, RouteSettings
from failsoft.server import create_app

DOWN = (ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}'),)
REFUSED = (ReplyFailed(status=400, body=b'{"error":{"type":"invalid_request_error"}}'),)
BAD_KEY = (ReplyFailed(status=401, body=b'{"error":{"type":"authentication_error"}}'),)

RULE = """---
questions:
  - When are you open?
link: https://bank.example/hours
action: Call us on weekdays
---
We are open from 9 to 5.
"""


@pytest.fixture
def made():
    """An application whose models answer as scripted; closed at the end."""
    opened = []

    def make(*scripts, **changes):
        provider = FakeProvider(*scripts)
        changes.setdefault("breaker", BreakerSettings(metrics_only=True))
        ai = assistant(provider, **changes)
        opened.append(ai)
        return provider, create_app(ai)

    yield make
    for ai in opened:
        asyncio.run(ai.aclose(drain_seconds=0))


async def test_the_same_question_is_answered_from_what_was_saved(made):
    _, app = made(("Bring your payslips.",), DOWN)
    first = await ask(app, message="What do I need to bring?")
    assert first.json["level"] == "full"
    reply = await ask(app, message="what do I need to bring")
    assert (reply.status, reply.json["status"], reply.json["level"]) == (200, "success", "cached")
    assert reply.json["response"] == "Bring your payslips."
    assert reply.json["cache"]["age_seconds"] >= 0
    assert "Saved answer" in reply.json["notice"]["title"]
    assert reply.json["retry_in_seconds"] == 120
    assert any("urgent" in action for action in reply.json["suggested_actions"])


async def test_a_stream_says_that_it_is_a_saved_answer_before_it_shows_it(made):
    _, app = made(("Bring your ", "payslips."), DOWN)
    await stream(app, message="What do I need to bring?")
    events = (await stream(app, message="What do I need to bring?")).events
    assert [e["type"] for e in events] == ["start", "status", "text", "done"]
    assert events[1]["phase"] == "degraded"
    assert "Saved answer" in events[1]["notice"]["title"]
    assert events[2]["text"] == "Bring your payslips."
    assert (events[3]["level"], events[3]["tokens"]) == ("cached", 1)
    assert events[3]["cache"]["age_seconds"] >= 0
    assert events[3]["suggested_actions"]


async def test_a_written_answer_and_then_the_message(made, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "hours.md").write_text(RULE)
    _, app = made(DOWN, rules_dir=str(tmp_path / "rules"))
    reply = await ask(app, message="When are you open?")
    assert (reply.status, reply.json["level"]) == (200, "rule")
    assert reply.json["response"].strip() == "We are open from 9 to 5."
    assert reply.json["links"]["more"] == "https://bank.example/hours"
    assert reply.json["suggested_actions"][0] == "Call us on weekdays"
    assert reply.json["retry_in_seconds"] == 300
    reply = await ask(app, message="Why is the sky blue?")
    assert (reply.status, reply.json["level"]) == (503, "minimal")
    assert reply.json["suggested_actions"]


@pytest.mark.parametrize("failure", [REFUSED, BAD_KEY], ids=["permanent", "auth"])
async def test_what_another_answer_cannot_mend_has_its_own_notice(made, failure):
    _, app = made(("Fine.",), failure)
    await ask(app)
    assert (await ask(app)).json["level"] == "minimal"


async def test_only_what_is_whole_is_saved(made):
    _, app = made(("Part of it", StreamCut("cut")), DOWN)
    await ask(app)
    assert (await ask(app)).json["level"] == "minimal"
    assert [e["type"] for e in (await stream(app)).events] == ["start", "error"]


@pytest.mark.parametrize(
    "other",
    [
        {"message": "Something else?"},
        {"system": "Answer as a pirate."},
        {"history": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hi."}]},
        {"route": "support"},
    ],
)
async def test_another_question_is_another(made, other):
    _, app = made(("Fine.",), DOWN, routes={"support": RouteSettings()})
    await ask(app)
    assert (await ask(app, **other)).json["level"] == "minimal"
    assert (await ask(app)).json["level"] == "cached"


async def test_nobody_gets_another_tenants_answer(made):
    _, app = made(("Fine.",), DOWN, api_keys=("a:key-a-123456789", "b:key-b-123456789"))
    a, b = ({"x-api-key": f"key-{name}-123456789"} for name in "ab")
    levels = []
    for who in (a, b, a):
        reply = await call(app, body={"message": "My status?"}, headers=who)
        levels.append(reply.json["level"])
    assert levels == ["full", "minimal", "cached"]


async def test_a_route_may_always_ask_what_was_saved_first(made):
    provider, app = made(("Fine.",), routes={"faq": RouteSettings(cache="always")})
    await ask(app, route="faq")
    reply = await ask(app, route="faq")
    assert (reply.json["level"], len(provider.calls)) == ("cached", 1)
    assert "not available" not in reply.json["notice"]["body"]


@pytest.mark.parametrize(
    "off", [{"store_text": False}, {"routes": {"chat": RouteSettings(cache="off")}}]
)
async def test_nothing_is_saved_where_that_is_not_wanted(made, off, tmp_path):
    _, app = made(("Secret words.",), DOWN, **off)
    await ask(app)
    assert (await ask(app)).json["level"] == "minimal"
    files = [each for each in (tmp_path / ".failsoft").glob("cache*") if each.is_file()]
    assert b"Secret" not in b"".join(each.read_bytes() for each in files)


async def test_a_cut_file_costs_the_cache_and_not_the_request(made, tmp_path):
    folder = tmp_path / ".failsoft"
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    _, app = made(("Fine.",), DOWN)
    assert (await ask(app)).json["level"] == "full"
    assert (await ask(app)).status in (200, 503)


async def test_where_no_text_is_stored_none_stays_from_before(made, tmp_path):
    folder = tmp_path / "data"
    before = assistant(FakeProvider(("Bring your payslips.",)), data_dir=str(folder))
    await before.ask("What do I need to bring?")
    await before.aclose()
    assert (folder / "cache.db").exists()
    made(DOWN, data_dir=str(folder), store_text=False)
    assert list(folder.glob("cache.db*")) == []


async def test_shadow_mode_logs_the_questions_only_where_that_is_asked_for(made, caplog):
    caplog.set_level("INFO")
    logged = []
    for texts in (False, True):
        cache = CacheSettings(shadow=True, shadow_texts=texts)
        folder = f"shadow-{texts}"
        _, app = made(("Bring your payslips.",), DOWN, cache=cache, data_dir=folder)
        await ask(app, message="What do I need to bring?")
        reply = await ask(app, message="please, what do I need to bring?")
        assert reply.json["level"] == "minimal"
        logged.append([one for one in caplog.records if one.message == "cache_shadow_hit"][-1])
    assert set(logged[0].fields) == {"similarity"}
    assert logged[1].fields["asked"] == "please, what do I need to bring?"
    assert logged[1].fields["saved"] == "What do I need to bring?"
