"""Requests that fail on purpose, over real sockets, and what they leave untouched."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from server_kit import FakeProvider, Reply, assistant, call, listening

from failsoft import Failsoft, SettingError, Settings
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import ProviderSettings, RetrySettings, ServerSettings
from failsoft.errors import FailsoftError
from failsoft.faults import make_token
from failsoft.providers.protocol import ProviderCall
from failsoft.server import create_app
from failsoft.server.logging import JsonFormatter
from failsoft.server.serve import serve
from failsoft.telemetry.events import (
    AttemptFinished,
    BreakerChanged,
    DuplicateJoined,
    Event,
    FaultInjected,
    RequestFinished,
)

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
KEY = "a-key-of-the-service"
WITHOUT_WAITS = RetrySettings(
    base_delay_seconds=0, overloaded_min_seconds=0, rate_limit_default_seconds=0
)


class Service:
    """The whole service on a socket, before a simulator that answers well."""

    def __init__(self, session: aiohttp.ClientSession, simulator: Simulator, ai: Failsoft) -> None:
        self.session = session
        self.simulator = simulator
        self.ai = ai
        self.events: list[Event] = []
        ai.subscribe(self.events.append)

    async def ask(
        self, simulate: str = "", *, path: str = "/api/chat", message: str = "What?", **headers: str
    ) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if simulate:
            sent["x-simulate-error"] = simulate
        async with self.session.post(path, json={"message": message}, headers=sent) as reply:
            found = {name.lower(): value for name, value in reply.headers.items()}
            return Reply(reply.status, found, await reply.read())

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as reply:
            return await reply.json()

    @property
    def injected(self) -> list[tuple[int, str, str]]:
        found = [event for event in self.events if isinstance(event, FaultInjected)]
        return [(event.number, event.target.partition("/")[2], event.reason) for event in found]


@asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[Service]:
    async with Simulator() as simulator:
        upstream = ProviderSettings(base_url=simulator.url, api_key="any")
        given = {"env": "dev", "anthropic": upstream, "retry": WITHOUT_WAITS} | changes
        ai = Failsoft(Settings(**given))
        async with (
            listening(create_app(ai)) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            yield Service(session, simulator, ai)


ALL = (OPUS, SONNET, HAIKU)


@pytest.mark.parametrize(
    ("category", "notice", "reason", "targets"),
    [
        ("transient", (503, "No answer this time", "retry"), "overloaded", ALL * 2),
        ("rate_limited", (503, "Too busy to answer", "wait"), "rate_limited", ALL * 2),
        ("timeout", (503, "The answer took too long", "retry"), "no_answer", ALL),
        ("content_policy", (422, "Try other words", "edit_input"), "content_policy", (OPUS,)),
        (
            "auth_error",
            (503, "A problem on our side", "contact_support"),
            "authentication",
            (OPUS,),
        ),
        ("permanent", (422, "This is not supported", "edit_input"), "bad_request", (OPUS,)),
        ("unknown", (503, "Something unexpected", "retry"), "unknown", ALL * 2),
    ],
)
async def test_each_category(category, notice, reason, targets):
    status, title, action = notice
    async with serving() as service:
        reply = await service.ask(category)
        stream = await service.ask(category + ";rate=1", path="/api/chat/stream")
        health = await service.get("/api/health/ai")
    assert (reply.status, reply.json["error_category"]) == (status, category)
    assert (reply.json["error"]["title"], reply.json["level"]) == (title, "minimal")
    assert reply.json["error"]["primary_action_type"] == action
    *_, last = stream.events
    assert (last["type"], last["error"]["title"]) == ("error", title)
    numbers = {number for number, _, _ in service.injected}
    assert {target for _, target, _ in service.injected} == set(targets)
    assert numbers == set(range(1, len(targets) + 1))
    assert {why for _, _, why in service.injected} == {reason}
    assert service.simulator.requests == []
    assert (health["errors"], health["rates"]["requests"]) == ({}, 0)
    assert {target["calls"] for target in health["targets"]} == {0}


async def test_the_fallback_serves_where_one_target_fails():
    async with serving() as service:
        reply = await service.ask(f"overloaded@{OPUS}")
    assert (reply.status, reply.json["level"]) == (200, "full")
    assert service.injected == [(1, OPUS, "overloaded")]
    assert [each.model for each in service.simulator.requests] == [SONNET]


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("overloaded;after=5", "transient"),
        ("stream_cut;after=5", "transient"),
        ("timeout;after=5", "timeout"),
        ("rate_limited;after=5", "rate_limited"),
    ],
)
async def test_what_was_shown_stays(words, category):
    async with serving() as service:
        reply = await service.ask(words, path="/api/chat/stream")
        start, *shown, last = reply.events
        status = await service.get(f"/api/requests/{start['request_id']}")
    assert [event["type"] for event in shown] == ["text"] * 5
    assert (last["type"], last["error_category"]) == ("stream_interrupted", category)
    assert last["tokens_before_error"] == 5
    assert status["status"] == "interrupted"
    assert status["text"] == "".join(event["text"] for event in shown)
    assert service.injected == [(1, OPUS, words.partition(";")[0].replace("timeout", "no_answer"))]


async def test_the_breaker_opens_for_the_same_words_alone():
    simulated: list[Event] = []
    async with serving() as service:
        twin = service.ai.failing(
            service.ai.simulation("server_error"), subscribers=[simulated.append]
        )
        async with asyncio.timeout(30):  # failures in a row open it, over a quarter of a second
            while twin.circuit_state != "open":
                answer = await twin.ask("What?")
        opened = {event.to_state for event in simulated if isinstance(event, BreakerChanged)}
        assert answer.verdict.reason in ("all_open", "server_error")
        assert "open" in opened
        assert service.ai.circuit_state == "closed"
        assert service.ai.failing(service.ai.simulation("unavailable")).circuit_state == "closed"
        assert (await service.ask()).json["circuit_state"] == "closed"
    heard = {type(event) for event in service.events if event.request_id == answer.request_id}
    assert heard <= {FaultInjected}


async def test_the_breaker_opens_over_http_and_real_requests_do_not_see_it():
    async with serving() as service:
        async with asyncio.timeout(30):
            while (failed := await service.ask("server_error")).json["circuit_state"] != "open":
                pass
        real = await service.ask()
        other = await service.ask(f"not_implemented@{OPUS}")
        health = await service.get("/api/health/ai")
    assert failed.status == 503
    assert (real.status, real.json["circuit_state"]) == (200, "closed")
    assert (other.status, other.json["circuit_state"]) == (422, "closed")
    assert (health["status"], health["rates"]["requests"]) == ("ok", 1)
    finished = [event for event in service.events if isinstance(event, RequestFinished)]
    assert [event.outcome for event in finished] == ["success"]


async def test_saved_answers_are_read_and_never_written():
    async with serving() as service:
        first = await service.ask(message="What is an escrow account?")
        cached = await service.ask("overloaded", message="What is an escrow account?")
        fallback = await service.ask(f"overloaded@{OPUS}", message="Who pays for the survey?")
        service.simulator.set("*", faults=["529"])
        unsaved = await service.ask(message="Who pays for the survey?")
        saved = await service.ask(message="What is an escrow account?")
    assert (cached.json["level"], saved.json["level"]) == ("cached", "cached")
    assert cached.json["response"] == first.json["response"]
    assert (fallback.json["level"], unsaved.json["level"]) == ("full", "minimal")


async def test_closing_one_beside_leaves_the_first_open():
    async with serving() as service:
        twin = service.ai.failing(service.ai.simulation(f"not_implemented@{OPUS}"))
        await twin.aclose()
        with pytest.raises(FailsoftError, match="closed"):
            await twin.ask("What?")
        assert (await service.ask()).status == 200


async def test_requests_at_the_same_time_do_not_mix():
    wanted = {
        "overloaded": "transient",
        "not_implemented": "permanent",
        "refusal": "content_policy",
    }
    async with serving() as service:
        replies = await asyncio.gather(
            *(service.ask(words, message="Who?") for _ in range(10) for words in wanted),
            *(service.ask() for _ in range(10)),
        )
    found = [reply.json.get("error_category", "none") for reply in replies]
    assert found == [*list(wanted.values()) * 10, *["none"] * 10]


async def test_a_key_is_of_one_request_and_what_is_to_go_wrong_belongs_to_it():
    async with serving() as service:
        first = await service.ask(f"overloaded@{OPUS}", idempotency_key="k")
        again = await service.ask(f" overloaded @ anthropic/{OPUS}", idempotency_key="k")
        other = await service.ask("not_implemented", idempotency_key="k")
        plain = await service.ask(idempotency_key="k")
        failed = await service.ask("unavailable", idempotency_key="f")
        once_more = await service.ask("unavailable", idempotency_key="f")
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert (other.status, plain.status) == (422, 422)
    assert "another body or X-Simulate-Error" in other.json["detail"]
    assert (failed.status, once_more.status) == (503, 503)
    assert "idempotent-replayed" not in once_more.headers  # it may pass, so it was run again
    assert not [event for event in service.events if isinstance(event, DuplicateJoined)]


async def test_a_stream_is_resumed_and_status_tells_its_end():
    async with serving() as service:
        reply = await service.ask("overloaded", path="/api/chat/stream")
        request_id = reply.events[0]["request_id"]
        headers = {"last-event-id": "1"}
        path = f"/api/requests/{request_id}"
        async with service.session.get(f"{path}/stream", headers=headers) as resumed:
            rest = await resumed.read()
        status = await service.get(path)
    assert rest == reply.body.partition(b"\n\n")[2]
    assert (status["status"], status["retryable"]) == ("failed", True)


async def test_lines_of_the_log_are_marked(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    async with serving() as service:
        simulated = await service.ask("not_implemented")
        real = await service.ask()
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]

    def marks(reply: Reply) -> list[tuple[str, bool]]:
        own = [line for line in lines if line.get("request_id") == reply.headers["x-request-id"]]
        return [(line["event"], line.get("simulated", False)) for line in own]

    assert marks(simulated) == [
        ("fault_injected", True),
        ("attempt_finished", True),
        ("degraded", True),
        ("request_finished", True),
        ("http", False),
    ]
    assert marks(real) == [("request_finished", False), ("http", False)]


# Who may ask for it.


async def asked(
    peer: str = "127.0.0.1", words: str = "not_implemented", token: str = "", **changes: Any
) -> Any:
    """One request from ``peer``; the reply, and whether a model was called."""
    provider = FakeProvider(("Hello.",))
    headers = {"x-simulate-error": words} | ({"x-simulate-token": token} if token else {})
    app = create_app(assistant(provider, **changes))

    async def from_peer(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"client": (peer, 1) if peer else None}, receive, send)

    reply = await call(from_peer, "/api/chat", {"message": "Hello?"}, headers=headers)
    assert provider.calls == []
    return reply


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1"])
async def test_a_developer_on_the_same_machine_may(peer):
    reply = await asked(peer, env="dev")
    assert reply.json["error_category"] == "permanent"


@pytest.mark.parametrize(
    ("peer", "env"),
    [("127.0.0.1", "production"), ("192.0.2.1", "dev"), ("", "dev"), ("testclient", "dev")],
)
async def test_nobody_else_may(peer, env):
    reply = await asked(peer, words="nonsense", env=env)
    assert (reply.status, reply.headers["content-type"]) == (403, "application/problem+json")
    assert reply.json["errors"][0]["field"] == "X-Simulate-Error"
    assert "FAILSOFT_SIMULATE_TOKEN_KEY is not set" in reply.json["detail"]
    with_key = await asked(peer, env=env, simulate_token_key=KEY)
    assert with_key.status == 403
    assert (
        "needs a token in X-Simulate-Token: `failsoft token` prints one" in with_key.json["detail"]
    )


async def test_who_has_a_token_may():
    token = make_token(KEY, expires_at=time.time() + 60)
    for peer, env in (("192.0.2.1", "production"), ("192.0.2.1", "dev"), ("127.0.0.1", "dev")):
        reply = await asked(peer, token=token, env=env, simulate_token_key=KEY)
        assert reply.json["error_category"] == "permanent"
    reply = await asked(words="nonsense", token=token, simulate_token_key=KEY)
    assert reply.status == 400


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (make_token(KEY, expires_at=1_000_000_000), "has expired"),
        (make_token(KEY + "!", expires_at=9_999_999_999), "is not signed with the key"),
        (make_token(KEY, expires_at=1_000_000_000).replace("v2.1", "v2.9"), "is not signed with"),
        ("v2.x", "has not the form that `failsoft token` prints"),
        ("caf\xe9", "has not the form"),
    ],
)
async def test_a_token_that_gives_no_right(token, why):
    reply = await asked(token=token, simulate_token_key=KEY)
    assert reply.status == 403
    assert f"the token in X-Simulate-Token {why}" in reply.json["detail"]
    assert token not in reply.json["detail"]


@pytest.mark.parametrize(
    ("tenant", "right"), [("acme", True), ("other", False), ("acm", False), ("", False)]
)
async def test_a_token_is_of_one_tenant(tenant, right):
    app = create_app(
        assistant(FakeProvider(("Hello.",)), simulate_token_key=KEY, api_keys=("acme:" + "k" * 20,))
    )
    token = make_token(KEY, expires_at=9_999_999_999, tenant=tenant)
    headers = {
        "x-simulate-error": "not_implemented",
        "x-simulate-token": token,
        "authorization": "Bearer " + "k" * 20,
    }
    reply = await call(app, "/api/chat", {"message": "Hello?"}, headers=headers)
    assert reply.status == (422 if right else 403)
    assert right or "another tenant's" in reply.json["detail"]


async def test_a_token_is_nothing_where_there_is_no_key():
    reply = await asked(token=make_token(KEY, expires_at=9_999_999_999))
    assert (reply.status, "takes none" in reply.json["detail"]) == (403, True)


async def test_it_is_no_key_of_the_service():
    reply = await asked(env="dev", api_keys=("k" * 20,))
    assert reply.status == 401


@pytest.mark.parametrize("words", ["", "nonsense", "overloaded;rate=2", "overloaded@gpt"])
async def test_words_that_cannot_be_read_name_the_header(words):
    reply = await asked(words=words, env="dev")
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert reply.json["errors"][0]["field"] == "X-Simulate-Error"


async def test_the_header_is_sent_once():
    provider = FakeProvider(("Hello.",))
    app = create_app(assistant(provider, env="dev"))
    twice = (b"x-simulate-error", b"not_implemented")

    async def doubled(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"headers": [*scope["headers"], twice, twice]}, receive, send)

    reply = await call(doubled, "/api/chat", {"message": "Hello?"})
    assert (reply.status, "must be sent once" in reply.json["detail"]) == (400, True)
    assert provider.calls == []


async def test_engines_are_forgotten_before_they_are_too_many():
    ai = assistant(FakeProvider(("Hello.",)), env="dev")
    app = create_app(ai)
    for after in range(1, 100):
        headers = {"x-simulate-error": f"overloaded;after={after}"}
        reply = await call(app, "/api/chat", {"message": "Hello?"}, headers=headers)
        assert reply.status == (503 if after == 1 else 200)


# A whole deployment.


async def test_a_whole_deployment_fails_and_says_so(caplog):
    caplog.set_level(logging.INFO, "failsoft")
    words = f"overloaded@{OPUS}"
    async with serving(simulate_error=words) as service:
        plain = await service.ask()
        other = await service.ask("not_implemented")
        health = await service.get("/api/health/ai")
    assert plain.json["level"] == "full"
    assert [each.model for each in service.simulator.requests] == [SONNET]
    assert service.injected == [(1, OPUS, "overloaded"), (1, OPUS, "not_implemented")]
    assert other.json["error_category"] == "permanent"
    assert health["simulated"] == words
    rates = {"requests": 1, "failed": 0, "failed_share": 0, "fallback": 1, "fallback_share": 1}
    assert health["rates"] == rates
    finished = [event for event in service.events if isinstance(event, AttemptFinished)]
    assert [event.reason for event in finished] == ["overloaded", ""]
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    (said,) = [line for line in lines if line["event"] == "simulating"]
    assert (said["simulate_error"], said["severity"]) == (words, "warning")
    assert all(line["simulated"] for line in lines if line["logger"] == "failsoft.events")


async def test_health_says_nothing_of_it_elsewhere():
    assert "simulated" not in assistant(FakeProvider(("Hello.",))).health()


@pytest.mark.parametrize("words", ["overloaded", "nonsense"])
def test_production_refuses_to_start_with_it(words):
    settings = Settings(simulate_error=words, server=ServerSettings(port=0))
    said: list[str] = []
    for start in (Failsoft, lambda given: serve(given, on_ready=said.append)):
        with pytest.raises(SettingError, match=r"FAILSOFT_SIMULATE_TOKEN_KEY"):
            start(settings)
    assert said == []


async def test_production_starts_with_it_where_a_key_shows_that_it_is_meant():
    provider = FakeProvider(("Hello.",))
    ai = assistant(provider, simulate_error="not_implemented", simulate_token_key=KEY)
    assert (await ai.ask("What?")).verdict.reason == "not_implemented"
    assert provider.calls == []
    assert KEY not in repr(ai.settings)


async def test_an_attempt_says_which_it_is():
    calls: list[ProviderCall] = []
    provider = FakeProvider(("Hello.",))
    ai = assistant(provider)
    answer = await ai.ask("What?")
    calls = provider.calls
    assert [(each.request_id, each.number) for each in calls] == [(answer.request_id, 1)]
