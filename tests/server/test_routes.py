import re
from html.parser import HTMLParser

import pytest
from pydantic import TypeAdapter
from server_kit import FakeProvider, ask, assistant, call, service, stream

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import BreakerSettings
from failsoft.server import create_app
from failsoft.server.schema import HealthBody

ROUTES = [
    ("GET", "/"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/api/health/ai"),
    ("POST", "/api/chat"),
    ("POST", "/api/chat/stream"),
    ("GET", "/api/chat"),
    ("GET", "/nothing"),
    ("GET", "/docs"),
    ("POST", "/api/chat/"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_reply_carries_its_id_and_is_guarded(method, path):
    reply = await call(service("Hi."), path, {"message": "?"}, method=method)
    assert re.fullmatch(r"req_[\w-]{22,}", reply.headers["x-request-id"])
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("POST", "/api/chat/", 404),
        ("GET", "/api/chat", 405),
        ("OPTIONS", "/api/chat", 405),
        ("POST", "/livez", 405),
    ],
)
async def test_what_is_not_there_is_told_plainly(method, path, status):
    reply = await call(service("Hi."), path, method=method)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["detail"]
    if status == 405:
        assert reply.headers["allow"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/chat", {"POST"}),
        ("/api/requests/req_1", {"DELETE", "GET", "HEAD"}),
        ("/api/requests/req_1/stream", {"GET", "HEAD"}),
    ],
)
async def test_every_method_of_an_address_is_told(path, methods):
    reply = await call(service("Hi."), path, method="PUT")
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (405, methods)


async def test_other_sites_are_not_let_in():
    reply = await call(
        service("Hi."), body={"message": "?"}, headers={"origin": "https://evil.example"}
    )
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_probes_know_nothing_of_providers(path, method):
    app = create_app(assistant(failing := FakeProvider((ReplyFailed(status=500),))))
    await ask(app)
    assert failing.calls
    assert (await call(app, path, method=method)).status == 200


async def test_health_tells_from_traffic_and_calls_nobody():
    provider = FakeProvider((ReplyFailed(status=529),))
    breaker = BreakerSettings(failure_threshold=1, failure_span_seconds=0)
    app = create_app(assistant(provider, breaker=breaker, chain=("anthropic/claude-opus-5-5",)))
    before = await call(app, "/api/health/ai", method="GET")
    assert (before.status, before.json["status"], provider.calls) == (200, "ok", [])
    await ask(app)
    after = await call(app, "/api/health/ai", method="GET")
    TypeAdapter(HealthBody).validate_python(after.json)
    assert set(after.json) == set(HealthBody.__annotations__) - {"simulated"}
    assert (after.status, after.json["status"]) == (200, "down")
    assert after.json["circuit_breaker"]["state"] == "open"
    errors = after.json["errors"]["transient"]
    assert errors["count"] == 1
    assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}\.\d{3}\+00:00", errors["last_at"])
    assert len(provider.calls) == 1
    failed = await ask(app)
    assert failed.json["circuit_state"] == "open"


async def test_a_broken_health_is_told_plainly(monkeypatch):
    app = service("Hi.")
    monkeypatch.setattr("failsoft.engine.client.Failsoft.health", lambda _: 1 / 0)
    reply = await call(app, "/api/health/ai", method="GET")
    assert (reply.status, reply.json["error_category"]) == (503, "unknown")


async def test_the_schema_tells_the_truth():
    app = service("Hi.")
    schema = (await call(app, "/openapi.json", method="GET")).json
    assert set(schema["paths"]) == {
        *("/api/chat", "/api/chat/stream", "/api/health/ai"),
        *("/api/requests/{request_id}", "/api/requests/{request_id}/stream"),
    }
    assert "$ref" not in str(schema)
    post = schema["paths"]["/api/chat"]["post"]
    asked = post["requestBody"]["content"]["application/json"]["schema"]
    assert asked["additionalProperties"] is False
    assert asked["required"] == ["message"]
    assert (asked["properties"]["message"]["minLength"], (await ask(app, message="")).status) == (
        1,
        422,
    )
    assert set(asked["properties"]) == {
        *("message", "history", "system", "model", "max_tokens", "route", "locale", "metadata")
    }
    answered = post["responses"]["200"]["content"]["application/json"]["schema"]
    assert set((await ask(app)).json) == set(answered["required"])
    refused = await call(app, body=b"{")
    told = post["responses"][str(refused.status)]["content"][refused.headers["content-type"]]
    assert set(refused.json) == set(told["schema"]["properties"])
    streamed = schema["paths"]["/api/chat/stream"]["post"]["responses"]["200"]["content"]
    assert (await stream(app)).headers["content-type"].partition(";")[0] in streamed
    assert [form["itemSchema"]["required"] for form in streamed.values()] == [["data"]]


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, _tag, attrs):
        self.found += [
            v or "" for k, v in attrs if k in ("src", "href", "action", "data", "srcset")
        ]
        self.handlers += [k for k, _ in attrs if k.startswith("on") or k == "style"]


async def test_the_page_asks_nobody_else_for_anything():
    reply = await call(service(), "/", method="GET")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    html = reply.body.decode()
    links = Links()
    links.feed(html)
    assert links.found == ["data:,", "openapi.json"]
    assert links.handlers == []
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


async def test_a_browser_runs_nothing_on_the_page_but_its_own():
    reply = await call(service(), "/", method="GET")
    policy = dict(
        part.partition(" ")[::2] for part in reply.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    assert policy["style-src"].startswith("'sha256-")
    assert "unsafe" not in reply.headers["content-security-policy"]
