import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from server_kit import FakeProvider, ask, assistant, call, hang, service

from failsoft.classify.wire_errors import ReplyFailed, StreamFailed
from failsoft.config.settings import (
    BreakerSettings,
    LinkSettings,
    RetrySettings,
    RouteSettings,
    ServerSettings,
    Settings,
)
from failsoft.engine.client import Failsoft
from failsoft.server import create_app
from failsoft.server.schema import AnswerBody, FailureBody, NoticeBody


def failed(status: int, kind: str, message: str = "no", **headers: str) -> ReplyFailed:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return ReplyFailed(status=status, headers=headers, body=json.dumps(body).encode())


def check(kind: Any, body: dict[str, Any]) -> None:
    """Every field of the schema, no other, each of its type."""
    TypeAdapter(kind).validate_python(body, strict=True)
    assert set(body) <= set(kind.__annotations__)
    if "error" in body:
        assert set(body["error"]) == set(NoticeBody.__annotations__)


async def test_a_question_gets_an_answer():
    reply = await ask(service("Hel", "lo."))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == {
        "status": "success",
        "response": "Hello.",
        "level": "full",
        "suggested_actions": [],
        "circuit_state": "closed",
        "request_id": reply.headers["x-request-id"],
    }
    check(AnswerBody, reply.json)


async def test_everything_asked_reaches_the_model():
    provider = FakeProvider(("Yes.",))
    app = create_app(assistant(provider))
    reply = await ask(
        app,
        history=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        system="Be brief.",
        max_tokens=17,
        model="claude-haiku-5-5",
        route="chat",
        locale="en",
        metadata={"ticket": 7},
    )
    assert reply.status == 200
    (sent,) = provider.calls
    assert sent.target.id == "anthropic/claude-haiku-5-5"
    assert sent.body == {
        "max_tokens": 17,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "Hello?"},
        ],
    }


@pytest.mark.parametrize(("path", "tokens"), [("/api/chat", 2048), ("/api/chat/stream", 4096)])
async def test_max_tokens_has_a_default(path, tokens):
    provider = FakeProvider(("Yes.",))
    await call(create_app(assistant(provider)), path, {"message": "?"})
    assert provider.calls[0].body["max_tokens"] == tokens


@pytest.mark.parametrize(
    ("error", "status", "category"),
    [
        (failed(529, "overloaded_error"), 503, "transient"),
        (failed(429, "rate_limit_error"), 503, "rate_limited"),
        (failed(504, "timeout_error"), 503, "timeout"),
        (failed(401, "authentication_error"), 503, "auth_error"),
        (failed(418, "teapot_error"), 503, "unknown"),
        (failed(400, "invalid_request_error"), 422, "permanent"),
        (failed(413, "request_too_large"), 413, "permanent"),
        (
            failed(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            422,
            "permanent",
        ),
        (
            failed(400, "invalid_request_error", "Output blocked by content filtering policy"),
            422,
            "content_policy",
        ),
    ],
)
async def test_a_failure_is_a_notice_with_the_status_of_its_category(error, status, category):
    app = create_app(assistant(FakeProvider((error,)), chain=("anthropic/claude-opus-5-5",)))
    reply = await ask(app)
    body = reply.json
    assert (reply.status, body["error_category"]) == (status, category)
    check(FailureBody, body)
    assert body["status"] == "error"
    assert body["level"] == "minimal"
    assert body["suggested_actions"]
    assert body["retryable"] is (category in ("transient", "rate_limited", "timeout", "unknown"))
    assert body["error"]["reference"] == body["request_id"] == reply.headers["x-request-id"]
    assert ("retry-after" in reply.headers) is (status == 503)


async def test_retry_after_is_the_true_wait_in_whole_seconds():
    error = failed(429, "rate_limit_error", **{"retry-after": "171.2"})
    app = create_app(assistant(FakeProvider((error,)), chain=("anthropic/claude-opus-5-5",)))
    reply = await ask(app)
    wait = int(reply.headers["retry-after"])
    assert 172 <= wait <= 172 + 30
    assert reply.json["retry_in_seconds"] == wait
    assert reply.json["error"]["retry_countdown_seconds"] == wait


async def test_the_model_is_shown_only_where_allowed():
    assert "model" not in (await ask(service("Hi."))).json
    shown = (await ask(service("Hi.", server={"expose_model": True}))).json
    assert shown["model"] == "claude-opus-5-5"
    check(AnswerBody, shown)


async def test_links_are_those_that_are_configured():
    links = LinkSettings(help="https://help.example/", support="mailto:help@example.com")
    body = (await ask(service(failed(529, "overloaded_error"), links=links))).json
    assert body["links"] == {"help": "https://help.example/", "support": "mailto:help@example.com"}
    check(FailureBody, body)
    assert "links" not in (await ask(service(failed(529, "overloaded_error")))).json


async def test_what_cannot_be_foreseen_is_the_unknown_notice_too(monkeypatch, caplog):
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("sk-ant-secret")

    monkeypatch.setattr(Failsoft, "ask", broken)
    reply = await ask(service("Hi."))
    assert reply.status == 503
    assert reply.json["error_category"] == "unknown"
    assert reply.headers["retry-after"] == "5"
    check(FailureBody, reply.json)
    (record,) = [r for r in caplog.records if r.getMessage() == "request_failed"]
    assert record.fields["request_id"] == reply.headers["x-request-id"]
    assert record.exc_info


async def test_half_a_character_from_a_model_is_no_accident():
    reply = await ask(service("Yes \ud83d"))
    assert reply.status == 200
    assert reply.json["response"] == "Yes \ud83d"


async def test_text_is_utf8_on_the_wire():
    assert "ありがとう".encode() in (await ask(service("ありがとう"))).body


@pytest.mark.parametrize(
    ("fields", "header", "expected"),
    [
        ({"locale": "en"}, "fr", "en"),
        ({}, "", "en"),
        ({}, "xx, *", "en"),
        ({}, "ja-JP, en;q=0.5", "ja"),
        ({"locale": "ar-EG"}, "fr", "ar"),
    ],
)
async def test_the_notice_speaks_the_language_asked_for(fields, header, expected):
    app = service(failed(529, "overloaded_error"))
    body = {"message": "?"} | fields
    reply = await call(app, body=body, headers={"accept-language": header})
    assert reply.json["error"]["locale"] == expected


async def test_a_notice_in_another_language(tmp_path):
    (tmp_path / "de.toml").write_text(
        '[notices.transient.given_up]\ntitle = "Gerade keine Antwort"\n', encoding="utf-8"
    )
    app = service(failed(529, "overloaded_error"), notices_dir=str(tmp_path))
    by_header = await call(
        app, body={"message": "?"}, headers={"accept-language": "de-AT, en;q=0.5"}
    )
    by_field = await ask(app, locale="de-CH")
    for reply in (by_header, by_field):
        assert reply.json["error"]["title"] == "Gerade keine Antwort"
        assert reply.json["error"]["locale"] == "de"


async def test_the_deadline_of_the_caller_is_kept():
    provider = FakeProvider((hang(),))
    app = create_app(assistant(provider))
    reply = await call(app, body={"message": "?"}, headers={"x-request-deadline-ms": "30.5"})
    assert reply.status == 503
    assert reply.json["error_category"] == "timeout"
    assert provider.open == 0


async def test_the_id_of_the_caller_is_not_believed():
    theirs = "req_" + "a" * 32
    reply = await call(service("Hi."), body={"message": "?"}, headers={"x-request-id": theirs})
    assert reply.headers["x-request-id"] != theirs
    assert reply.json["request_id"] == reply.headers["x-request-id"]


async def test_an_error_in_a_stream_of_200_is_told_like_any_other():
    error = StreamFailed(body={"type": "error", "error": {"type": "overloaded_error"}})
    assert (await ask(service(error))).json["error_category"] == "transient"


def test_an_application_has_one_source_of_settings():
    with pytest.raises(TypeError, match="either ai or settings"):
        create_app(assistant(FakeProvider(("Hi.",))), Settings())


async def test_an_application_can_make_its_own():
    made = create_app(settings=Settings(retry=RetrySettings(), server=ServerSettings()))
    assert (await call(made, "/livez", method="GET")).status == 200


SUPPORT = {"support": RouteSettings(allowed_models=("claude-haiku-5-5",)), "plain": RouteSettings()}


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_a_route_is_served_by_the_models_it_allows(path):
    provider = FakeProvider(("Hi.",))
    app = create_app(assistant(provider, routes=SUPPORT))
    for route in ("support", "plain", "chat"):
        assert (await call(app, path, {"message": "?", "route": route})).status == 200
    served = [sent.target.model for sent in provider.calls]
    assert served == ["claude-haiku-5-5", "claude-opus-5-5", "claude-opus-5-5"]


async def test_a_model_that_the_route_allows_may_be_asked_for():
    app = service("Hi.", routes=SUPPORT)
    for model in ("claude-haiku-5-5", "anthropic/claude-haiku-5-5"):
        assert (await ask(app, route="support", model=model)).status == 200


async def test_a_route_that_is_down_is_told_in_its_answers_and_no_others():
    route = {"support": RouteSettings(allowed_models=("claude-haiku-5-5",))}
    breaker = BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    provider = FakeProvider((failed(529, "overloaded_error"),), ("Hi.",))
    app = create_app(assistant(provider, routes=route, breaker=breaker))
    await ask(app, route="support")
    assert (await ask(app, route="support")).json["circuit_state"] == "open"
    assert (await ask(app)).json["circuit_state"] == "closed"
    health = (await call(app, "/api/health/ai", method="GET")).json
    assert (health["status"], health["circuit_breaker"]["state"]) == ("degraded", "closed")
    assert [(each["route"], each["state"]) for each in health["routes"]] == [
        ("chat", "closed"),
        ("support", "open"),
    ]
