import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_kit import FakeProvider, assistant, hang, service, stream

from failsoft import StreamText
from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import BreakerSettings, RetrySettings
from failsoft.engine.client import Failsoft
from failsoft.server import create_app

TERMINAL = {"done", "stream_interrupted", "error"}
overloaded = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')


async def test_an_answer_comes_as_it_is_made():
    reply = await stream(service("Hel", "lo."))
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reply.headers
    assert reply.events == [
        {"type": "start", "request_id": reply.headers["x-request-id"]},
        {"type": "text", "text": "Hel"},
        {"type": "text", "text": "lo."},
        {
            "type": "done",
            "level": "full",
            "tokens": 2,
            "finish": "complete",
            "usage": {"input_tokens": 3, "output_tokens": 5},
        },
    ]
    assert b"event:" not in reply.body


async def test_nothing_shown_ends_in_an_error():
    *_, last = (await stream(service(overloaded))).events
    assert last["type"] == "error"
    assert (last["tokens_before_error"], last["chars_before_error"]) == (0, 0)
    assert last["retryable"] is True
    assert last["user_message"] == last["error"]["body"]
    assert last["action"] == last["error"]["primary_action_type"] == "retry"
    assert last["suggested_actions"]
    assert last["retry_in_seconds"] > 0


async def test_what_was_shown_stays():
    events = (await stream(service("One ", "two ", StreamCut("gone")))).events
    assert [e["text"] for e in events if e["type"] == "text"] == ["One ", "two "]
    last = events[-1]
    assert last["type"] == "stream_interrupted"
    assert (last["tokens_before_error"], last["chars_before_error"]) == (2, 8)
    assert "kept" in last["user_message"]


async def test_a_person_hears_of_another_way_being_tried():
    provider = FakeProvider((overloaded,), ("Hi.",))
    app = create_app(assistant(provider, retry=RetrySettings(max_attempts=2)))
    events = (await stream(app)).events
    assert [e["type"] for e in events] == ["start", "status", "text", "done"]
    status = events[1]
    assert set(status) == {"type", "phase", "notice", "retry_in_seconds"}
    assert status["phase"] == "switching"
    assert status["retry_in_seconds"] is None
    assert status["notice"]["retry_countdown_seconds"] is None  # nothing waits
    assert status["notice"]["primary_action_type"] == "wait"
    assert "Stay on this page" in status["notice"]["body"]


async def test_the_model_is_shown_only_where_allowed():
    assert "model" not in (await stream(service("Hi."))).events[-1]
    shown = (await stream(service("Hi.", server={"expose_model": True}))).events[-1]
    assert shown["model"] == "claude-opus-5-5"


async def test_silence_is_broken_by_comments():
    release, comments = asyncio.Event(), []
    app = service("Hi.", release.wait, server={"heartbeat_seconds": 0.05})

    async def watched(scope, receive, send):
        async def sending(message):
            if message.get("body") == b": still here\n\n":
                comments.append(message)
            if len(comments) == 2:
                release.set()
            await send(message)

        await app(scope, receive, sending)

    async with asyncio.timeout(20):
        reply = await stream(watched)
    assert reply.body.count(b": still here\n\n") >= 2
    assert reply.events[-1]["type"] == "done"


async def test_no_comments_while_events_come():
    assert b": still here" not in (await stream(service("Hi."))).body


@pytest.mark.parametrize(
    ("script", "last"), [((), "error"), (("Hi.",), "stream_interrupted")], ids=["first", "later"]
)
async def test_what_breaks_unforeseen_has_its_end_too(script, last, monkeypatch, caplog):
    class Broken:
        async def into(self, outlet):
            for text in script:
                outlet.give(StreamText(text))
            raise ZeroDivisionError("sk-ant-secret")

    monkeypatch.setattr(Failsoft, "stream", lambda *_, **__: Broken())
    reply = await stream(service())
    assert reply.events[-1]["type"] == last
    assert reply.events[-1]["error_category"] == "unknown"
    assert b"sk-ant" not in reply.body
    (record,) = [r for r in caplog.records if r.getMessage() == "request_failed"]
    assert record.fields["request_id"] == reply.headers["x-request-id"]


async def test_a_stream_that_only_stops_has_an_end_too(monkeypatch):
    class Short:
        async def into(self, _outlet):
            pass

    monkeypatch.setattr(Failsoft, "stream", lambda *_, **__: Short())
    assert [e["type"] for e in (await stream(service())).events] == ["error"]


provider = FakeProvider()
app = create_app(
    assistant(
        provider,
        retry=RetrySettings(max_attempts=2, budget_ratio=1, budget_floor_per_second=1000),
        breaker=BreakerSettings(metrics_only=True),
    )
)
steps = st.lists(st.one_of(st.text(max_size=5), st.just(StreamCut("cut")), st.just(overloaded)))


@settings(max_examples=60)
@given(scripts=st.lists(steps, min_size=1, max_size=3))
def test_every_stream_ends_once(scripts):
    """``Reply.events`` checks the numbers and that ``[DONE]`` alone follows the last event."""

    provider.scripts = list(map(tuple, scripts))
    events = asyncio.run(stream(app)).events
    assert [e["type"] in TERMINAL for e in events] == [False] * (len(events) - 1) + [True]
    assert events[0]["type"] == "start"
    shown = [e["text"] for e in events if e["type"] == "text"]
    last = events[-1]
    if last["type"] == "done":
        assert last["tokens"] == len(shown)
    else:
        assert last["tokens_before_error"] == len(shown)
        assert last["chars_before_error"] == sum(map(len, shown))
        assert (last["type"] == "error") is (not shown)
    assert provider.open == 0


async def test_the_deadline_counts_to_the_first_content():
    app = service(hang(), stream_deadline_seconds=0.05)
    *_, last = (await stream(app)).events
    assert (last["type"], last["error_category"]) == ("error", "timeout")
