"""A page of another site, whose name leads to a service on loopback without keys."""

import pytest
from server_kit import FakeProvider, assistant, call

from failsoft import Settings
from failsoft.config.settings import ServerSettings
from failsoft.errors import SettingError
from failsoft.server import create_app, router

PATHS = [
    ("POST", "/api/chat"),
    ("POST", "/api/chat/stream"),
    ("GET", "/api/requests/req_0"),
    ("DELETE", "/api/requests/req_0"),
    ("GET", "/api/health/ai"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
    ("GET", "/playground/setup"),
]
ELSEWHERE = [
    {"host": "evil.example"},
    {"host": "evil.example:8787"},
    {"host": "127.0.0.1.evil.example"},
    {"host": "localhost.evil.example"},
    {"host": "169.254.169.254"},
    {"host": "[2001:db8::1]:8787"},
    {"host": ""},
    {"host": "127.0.0.1:8787", "origin": "https://evil.example"},
    {"host": "127.0.0.1:8787", "origin": "null"},
    {"host": "127.0.0.1:8787", "origin": "http://127.0.0.1:8787@evil.example"},
    {"host": "127.0.0.1:8787", "origin": ""},
]
HERE = [
    {},
    {"host": "127.0.0.1:8787"},
    {"host": "127.1.2.3"},
    {"host": "localhost:8787"},
    {"host": "LocalHost"},
    {"host": "app.localhost:3000"},
    {"host": "[::1]:8787"},
    {"host": "127.0.0.1:8787", "origin": "http://localhost:5173"},
    {"host": "127.0.0.1:8787", "origin": "http://127.0.0.1:8787"},
]


def app(**changes):
    return create_app(assistant(FakeProvider(("Hi.",)), **changes))


async def status(app, headers, method="POST", path="/api/chat"):
    body = {"message": "Hello?"} if method == "POST" else b""
    return await call(app, path, body, method=method, headers=headers)


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
async def test_it_is_refused(headers):
    reply = await status(app(), headers)
    assert reply.status == 403
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"].startswith("req_")
    assert "server.allowed_hosts" in reply.json["detail"]
    assert "evil" not in reply.body.decode()


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_on_every_route_that_costs_money_or_tells_anything(method, path):
    reply = await status(app(env="dev"), {"host": "evil.example"}, method, path)
    assert reply.status == 403


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_whether_the_process_lives_is_told_to_anybody(path):
    assert (await status(app(), {"host": "10.0.0.7"}, "GET", path)).status == 200


@pytest.mark.parametrize("headers", HERE, ids=str)
async def test_programs_and_pages_of_this_machine_are_answered(headers):
    assert (await status(app(), headers)).status == 200


async def test_names_can_be_allowed():
    named = app(server={"allowed_hosts": ("box.example",)})
    for headers in ({"host": "box.example:8787"}, {"host": "BOX.example"}):
        assert (await status(named, headers | {"origin": "https://box.example"})).status == 200
    assert (await status(named, {"host": "evil.box.example"})).status == 403
    for wrong in ("", "box.example:8787", "https://box.example", "*"):
        with pytest.raises(SettingError, match="allowed_hosts"):
            ServerSettings(allowed_hosts=(wrong,))


@pytest.mark.parametrize(
    "changes",
    [
        {"api_keys": ("a:key-a-123456789",)},
        {"server": {"host": "0.0.0.0", "insecure": True}},
    ],
    ids=["with keys", "open to all on purpose"],
)
async def test_where_others_may_call_their_names_are_theirs(changes):
    headers = {"host": "ai.example", "x-api-key": "key-a-123456789"}
    assert (await status(app(**changes), headers)).status == 200


async def test_in_an_application_its_names_are_its_own():
    ai = assistant(FakeProvider(("Hi.",)))
    assert Settings().server.host == "127.0.0.1"
    assert (await status(router(ai), {"host": "app.example"})).status == 200
