"""The simulator in front of a real endpoint, here a second simulator."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from failsoft.chaos.simulator import Simulator
from failsoft.errors import SettingError

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello you"}]}
HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


@pytest.fixture
async def real() -> AsyncIterator[Simulator]:
    async with Simulator(seed=99) as simulator:
        yield simulator


@pytest.fixture
async def proxy(real: Simulator, clock: Any) -> AsyncIterator[Simulator]:
    async with Simulator(upstream=f"{real.url}/", clock=clock) as simulator:
        yield simulator


@pytest.fixture
async def http(proxy: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(proxy.url, headers=HEADERS) as session:
        yield session


@pytest.mark.parametrize("stream", [True, False])
async def test_a_healthy_call_comes_back_byte_for_byte(
    real: Simulator, proxy: Simulator, http: aiohttp.ClientSession, stream: bool
) -> None:
    body = {**BODY, "stream": stream}
    direct = await http.post(f"{real.url}/v1/messages?beta=true", json=body)
    passed = await http.post("/v1/messages?beta=true", json=body)
    assert await passed.read() == await direct.read()
    assert passed.headers["content-type"] == direct.headers["content-type"]
    assert passed.headers["request-id"] == real.requests[1].request_id
    assert real.requests[1].prompt_sha256 == real.requests[0].prompt_sha256
    noted = proxy.requests[0]
    assert (noted.model, noted.status, noted.outcome, noted.fault) == ("m", 200, "completed", None)


@pytest.mark.parametrize("stream", [True, False])
async def test_chat_completions_pass_and_are_struck_too(
    real: Simulator, proxy: Simulator, stream: bool
) -> None:
    body = {"model": "gpt-5.5", "messages": BODY["messages"], "stream": stream}
    headers = {"authorization": "Bearer k"}
    async with aiohttp.ClientSession(proxy.url, headers=headers) as session:
        passed = await session.post("/openai/v1/chat/completions", json=body)
        assert b"chat.completion" in await passed.read()
        assert passed.headers["x-request-id"] == real.requests[0].request_id
        proxy.set("gpt-*", faults=["503"])
        struck = await session.post("/v1/chat/completions", json=body)
        assert (await struck.json())["error"]["code"] == "server_is_overloaded"
        assert (await session.post("/v1/chat/completions", data=b"{")).status == 400
    assert [request.status for request in real.requests] == [200, 400]
    assert [request.status for request in proxy.requests] == [200, 503, 400]


async def test_a_fault_strikes_before_the_endpoint_is_asked(
    real: Simulator, proxy: Simulator, http: aiohttp.ClientSession
) -> None:
    proxy.set("m", faults=["529"])
    assert (await http.post("/v1/messages", json=BODY)).status == 529
    assert real.requests == []


async def test_latency_holds_the_request_back(
    proxy: Simulator, http: aiohttp.ClientSession, clock: Any
) -> None:
    proxy.set("m", faults=["latency;first_content_ms=700;between_events_ms=10"])
    assert (await http.post("/v1/messages", json=BODY)).status == 200
    assert clock.slept == [0.7]


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("GET", "/v1/models", None, 200),
        ("POST", "/v1/messages/count_tokens", b'{"messages":[]}', 200),
        ("POST", "/v1/messages", b"{", 400),
        ("DELETE", "/v1/files/f%2F1?x=%20y", None, 404),
    ],
)
async def test_everything_else_is_passed_on_as_it_is(
    real: Simulator, http: aiohttp.ClientSession, *, method: str, path: str, data: Any, status: int
) -> None:
    reply = await http.request(method, path, data=data)
    assert reply.status == status
    assert reply.headers["request-id"] == real.requests[0].request_id


async def test_a_request_without_a_key_is_the_endpoints_to_refuse(
    real: Simulator, proxy: Simulator
) -> None:
    async with aiohttp.ClientSession() as session:
        reply = await session.post(f"{proxy.url}/v1/messages", json=BODY)
        assert reply.status == 401
    assert len(real.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", aiohttp.ClientPayloadError),
        ("close", aiohttp.ClientPayloadError),
        ("reset", aiohttp.ClientError),
    ],
)
async def test_what_breaks_at_the_endpoint_breaks_here(
    real: Simulator, proxy: Simulator, http: aiohttp.ClientSession, fault: str, error: type
) -> None:
    real.set("m", faults=[fault])
    with pytest.raises(error):
        await (await http.post("/v1/messages", json={**BODY, "stream": True})).read()
    assert proxy.requests[0].outcome == "cut"


async def test_a_client_that_leaves_is_gone_from_the_endpoint_too(
    real: Simulator, proxy: Simulator, http: aiohttp.ClientSession, until: Any
) -> None:
    real.set("m", faults=["stall;after=2"])
    async with http.post("/v1/messages", json={**BODY, "stream": True}) as reply:
        seen = b""
        while (
            seen.count(b"content_block_delta\n") < 2
        ):  # unbuffered: it comes though no end is near
            seen += await reply.content.readany()
    await until(lambda: {real.requests[0].outcome, proxy.requests[0].outcome} == {"client_gone"})


async def test_an_endpoint_that_is_not_there_is_a_502(unused_port: int) -> None:
    async with (
        Simulator(upstream=f"http://127.0.0.1:{unused_port}") as proxy,
        aiohttp.ClientSession(headers=HEADERS) as session,
    ):
        reply = await session.post(f"{proxy.url}/v1/messages", json=BODY)
        assert reply.status == 502
        assert "upstream cannot be reached" in (await reply.json())["error"]["message"]
        chat = await session.post(
            f"{proxy.url}/v1/chat/completions", json=BODY, headers={"authorization": "Bearer k"}
        )
        assert (chat.status, (await chat.json())["error"]["code"]) == (502, 502)


async def test_compressed_bytes_headers_and_cookies_are_left_alone() -> None:
    packed = gzip.compress(b'{"type":"message"}')
    got: list[Any] = []

    async def endpoint(request: web.Request) -> web.Response:
        got.append((request.raw_path, dict(request.headers), await request.read()))
        headers = {"content-encoding": "gzip", "x-cf": "1", "set-cookie": "a=b; Path=/"}
        return web.Response(status=203, body=packed, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endpoint)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = "http://{}:{}/prefix".format(*runner.addresses[0])
    sent = {**HEADERS, "user-agent": "mine", "content-type": "application/json"}
    async with (
        Simulator(upstream=upstream) as proxy,
        aiohttp.ClientSession(auto_decompress=False, headers=sent) as session,
    ):
        for _ in range(2):
            reply = await session.post(f"{proxy.url}/v1/messages?a=b%20c", data=b'{ "odd" :1}')
            assert (reply.status, await reply.read()) == (203, packed)
            assert (reply.headers["x-cf"], reply.headers["content-encoding"]) == ("1", "gzip")
            session.cookie_jar.clear()
    await runner.cleanup()
    for path, headers, body in got:
        assert (path, body) == ("/prefix/v1/messages?a=b%20c", b'{ "odd" :1}')
        assert headers["User-Agent"] == "mine"
        assert headers["Host"] == upstream.split("/")[2]
        assert "Cookie" not in headers


@pytest.mark.parametrize("address", ["", "api.anthropic.com", "ftp://x", "http://", "http://x?y=1"])
def test_an_upstream_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="--upstream: must be an http:// or https:// address"):
        Simulator(upstream=address)
