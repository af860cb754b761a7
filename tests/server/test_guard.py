import asyncio

import pytest
from server_kit import FakeProvider, assistant, call, service
from starlette.datastructures import Headers

from failsoft.config.settings import ServerSettings, Settings
from failsoft.errors import SettingError
from failsoft.server import create_app
from failsoft.server.auth import Guard, check_exposure
from failsoft.server.problem import Problem

KEYS = ("bank:sk-one", "bank:sk-two", "plain", "law.firm:last")
QUESTION = {"message": "?"}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-one"},
        {"authorization": "bearer  sk-two "},
        {"x-api-key": "plain"},
        {"x-api-key": "last"},
        {"authorization": "Basic abc", "x-api-key": "sk-one"},
    ],
)
async def test_a_known_key_lets_in(headers):
    app = service("Hi.", api_keys=KEYS)
    assert (await call(app, body=QUESTION, headers=headers)).status == 200
    health = await call(app, "/api/health/ai", method="GET", headers=headers)
    assert health.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk-on"},
        {"authorization": "sk-one"},
        {"authorization": "Bearer wrong", "x-api-key": "sk-one"},
        {"x-api-key": "bank:sk-one"},
        {"x-api-key": "bank"},
        {"x-api-key": "é\xff"},
        {"x-api-key": ""},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/chat"), ("POST", "/api/chat/stream"), ("GET", "/api/health/ai")],
)
async def test_nobody_else_comes_in(headers, method, path):
    provider = FakeProvider(("Hi.",))
    app = create_app(assistant(provider, api_keys=KEYS))
    reply = await call(app, path, b"not even JSON", method=method, headers=headers)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.headers["content-type"] == "application/problem+json"
    assert provider.calls == []


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_a_request_that_shows_two_keys_is_nobodys(name):
    shown = [f"Bearer {key}" if name == "authorization" else key for key in ("sk-one", "plain")]
    headers = Headers(raw=[(name.encode(), key.encode()) for key in shown])
    with pytest.raises(Problem, match="once") as caught:
        Guard(Settings(api_keys=KEYS)).tenant(headers)
    assert caught.value.status == 400


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://a]b", "http://[x]", "", "["])
async def test_an_origin_that_is_none_is_refused_in_words(origin):
    reply = await call(service("Hi."), body=QUESTION, headers={"origin": origin})
    assert reply.status == 403
    assert reply.headers["content-type"] == "application/problem+json"


def test_every_origin_must_be_of_this_machine():
    origins = (b"http://localhost", b"https://evil.example")
    headers = Headers(raw=[(b"host", b"localhost"), *((b"origin", each) for each in origins)])
    with pytest.raises(Problem, match="not of this machine"):
        Guard(Settings()).check_site(headers)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/", "/openapi.json"])
async def test_some_doors_are_open(path):
    assert (await call(service(api_keys=KEYS), path, method="GET")).status == 200


def test_keys_are_kept_as_digests():
    guard = Guard(Settings(api_keys=KEYS))
    assert not any(key in repr(vars(guard)) for key in ("sk-one", "sk-two", "plain", "last"))
    assert "bank" in repr(vars(guard))


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_a_tenant_has_so_many_places(path):
    release = asyncio.Event()
    provider = FakeProvider((release.wait, "Hi."))
    app = create_app(assistant(provider, api_keys=KEYS, server={"requests_per_tenant": 2}))
    one, two, other = ({"x-api-key": key} for key in ("sk-one", "sk-two", "plain"))
    waiting = [asyncio.create_task(call(app, path, QUESTION, headers=h)) for h in (one, two, other)]
    await provider.called(3)
    refused = await call(app, path, QUESTION, headers=one)
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"] == "application/problem+json"
    release.set()
    assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}
    assert (await call(app, path, QUESTION, headers=one)).status == 200


async def test_a_refused_request_gives_its_place_back():
    app = service("Hi.", server={"requests_per_tenant": 1})
    for body in (b"{", {"message": ""}):
        assert (await call(app, "/api/chat/stream", body)).status in (400, 422)
    assert (await call(app, "/api/chat/stream", QUESTION)).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", "fe80::1%eth0"])
def test_other_machines_are_not_let_in_without_keys(host):
    with pytest.raises(SettingError, match="FAILSOFT_API_KEYS") as caught:
        check_exposure(Settings(server=ServerSettings(host=host)))
    assert caught.value.setting == "server.host"
    check_exposure(Settings(server=ServerSettings(host=host), api_keys=("key",)))
    check_exposure(Settings(server=ServerSettings(host=host, insecure=True)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_trusted(host):
    check_exposure(Settings(server=ServerSettings(host=host)))
