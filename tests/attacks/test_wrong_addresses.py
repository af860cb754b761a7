"""A wrong address, certificate or proxy: the operator's fault, never the user's."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from loopback import fixed, serving
from server_kit import listening

from failsoft import Failsoft, SettingError, Settings, wrap
from failsoft.config.settings import BreakerSettings, CacheSettings, ProviderSettings, RetrySettings
from failsoft.policy.breaker import CircuitState
from failsoft.providers.sessions import SessionPerLoop
from failsoft.server import create_app
from failsoft.storage.sqlite import folder_problem

ERROR = {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}
NOT_FOUND = fixed(
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n", json.dumps(ERROR).encode()
)
PAGE = fixed(
    b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\n", b"<html>404 Not Found</html>"
)
QUICK = RetrySettings(max_attempts=1)


def settings(url, **more):
    here = ProviderSettings(api_key="k", base_url=url)
    return Settings(anthropic=here, cache=CacheSettings(enabled=False), **more)


async def always(peer, reply):
    await peer.send(reply)


@pytest.mark.parametrize("reply", [NOT_FOUND, PAGE], ids=["json", "page"])
async def test_the_person_is_told_that_it_is_our_fault_and_health_is_not_ok(reply):
    async with (
        serving(lambda peer: always(peer, reply)) as server,
        Failsoft(settings(f"{server.url}/wrong", retry=QUICK)) as ai,
    ):
        answer = await ai.ask("hi")
        health = ai.health()
    assert str(answer.verdict) == "auth_error · wrong_address"
    assert answer.verdict.fault == "operator"
    assert answer.notice.primary_action_type == "contact_support"
    assert "another way" not in answer.notice.body
    assert health["status"] == "degraded"


async def test_the_targets_of_the_host_open_together_and_probe_again():
    rules = BreakerSettings(failure_threshold=3, failure_span_seconds=0)
    async with (
        serving(lambda peer: always(peer, PAGE)) as server,
        Failsoft(settings(server.url, breaker=rules, retry=QUICK)) as ai,
    ):
        for _ in range(4):
            answer = await ai.ask("hi")
        assert ai.circuit_state is CircuitState.OPEN
        assert answer.retry_after < 15 + 5
    assert len(server.requests) == 3


async def test_a_key_is_not_lost_to_it(tmp_path):
    replies = [PAGE]

    async def once(peer):
        await peer.send(replies[0])

    async with serving(once) as server:
        own = replace(settings(server.url, retry=QUICK), data_dir=str(tmp_path / "data"))
        async with listening(create_app(Failsoft(own))) as port, aiohttp.ClientSession() as http:
            url, key = f"http://127.0.0.1:{port}/api/chat", {"idempotency-key": "k"}
            for _ in range(2):
                async with http.post(url, json={"message": "hi"}, headers=key) as reply:
                    assert reply.status == 503
    assert len(server.requests) == 2


@pytest.mark.parametrize("end", ["/v1", "/v1/", "/v1/messages", "/anthropic/v1"])
def test_an_address_with_the_path_of_the_call_is_refused(end):
    with pytest.raises(SettingError, match=r"base_url: .*must end before /v1") as refused:
        ProviderSettings(base_url=f"https://gateway.example{end}")
    assert end in str(refused.value)


@pytest.mark.parametrize("address", ["https://gateway.example/v1beta", "https://v1.example/"])
def test_an_address_that_only_looks_so_is_not(address):
    assert ProviderSettings(base_url=address).base_url == address


@pytest.fixture
def proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080"),
        ("https_proxy", "http//127.0.0.1:8080"),
        ("HTTPS_PROXY", "ftp://127.0.0.1"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://127.0.0.1:port"),
    ],
)
def test_a_proxy_that_is_none_is_refused_at_start_by_its_name(proxies, variable, proxy):
    proxies.setenv(variable, proxy)
    with pytest.raises(SettingError, match=f"{variable}: must be") as refused:
        Failsoft(settings("https://api.example"))
    assert "secret" not in str(refused.value)
    proxies.setenv("NO_PROXY", "api.example")
    SessionPerLoop("https://api.example")


def test_a_wrapped_client_has_a_proxy_of_its_own(proxies):
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(api_key="k")
    proxies.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    assert type(wrap(client, settings=Settings())) is anthropic.Anthropic


async def test_a_proxy_that_wants_a_password_is_for_the_operator(proxies):
    head = b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n"
    for address in ("https://api.example", "http://api.example"):
        async with serving(lambda peer: always(peer, fixed(head, b"<html>no</html>"))) as proxy:
            proxies.setenv("HTTPS_PROXY", proxy.url)
            proxies.setenv("HTTP_PROXY", proxy.url)
            async with Failsoft(settings(address, retry=QUICK)) as ai, asyncio.timeout(20):
                answer = await ai.ask("hi")
        assert str(answer.verdict) == "auth_error · connection_setup", address


@pytest.mark.skipif(sys.platform != "linux", reason="no user can make a file in /proc")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is no folder" in folder_problem(tmp_path / "file" / "data")
    assert folder_problem(tmp_path / "not" / "yet") == ""
    assert not (tmp_path / "not").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert "/proc cannot be written to" in folder_problem(Path("/proc/data"))
