"""Calls that never got a reply: real sockets, the wire provider, and the SDK on both transports."""

import asyncio
import socket
import ssl
import struct

import anthropic
import httpx2
import pytest
from replay import (
    FIXTURES,
    MODEL,
    REQUEST,
    TRUSTS_NOBODY,
    read_request,
    sdk_failure,
    sdk_on_aiohttp_failure,
    server,
    wire_failure,
)

from failsoft.classify import BenchScope, BreakerEffect, NextModel, Sent, classify

PLAIN = "overloaded_529"  # any recording that is not a stream: the SDK's plain call is made
CLIENTS = pytest.mark.parametrize(
    "client", [wire_failure, sdk_failure, sdk_on_aiohttp_failure], ids=lambda each: each.__name__
)


def verdict_on(failure):
    return classify(failure, provider="anthropic", now=0.0)


async def hang_up(reader, _writer):
    await read_request(reader)


async def reset(reader, writer):
    await read_request(reader)
    linger_for_nothing = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing
    )


async def never_answer(reader, _writer):
    await reader.read()


def broken_off(reply):
    async def serve(reader, writer):
        await read_request(reader)
        writer.write(reply)
        await writer.drain()

    return serve


@CLIENTS
async def test_refused(client):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    verdict = verdict_on(await client(f"http://127.0.0.1:{port}", PLAIN))
    assert str(verdict) == "transient · connection"
    assert verdict.sent is Sent.NO
    assert verdict.bench_scope is BenchScope.HOST


@CLIENTS
async def test_no_such_host(client, monkeypatch):
    def unknown(*_args, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    verdict = verdict_on(await client("http://no-such-host.invalid", PLAIN))
    assert str(verdict) == "transient · connection"
    assert verdict.sent is Sent.NO


@CLIENTS
@pytest.mark.parametrize("serve", [hang_up, reset])
async def test_gone_after_the_request_was_sent(client, serve):
    async with server(serve) as url:
        verdict = verdict_on(await client(url, PLAIN))
    assert str(verdict) == "transient · connection"
    assert verdict.sent is Sent.MAYBE
    # The host is there, so its next model may answer; it is the host's breaker that counts.
    assert verdict.try_next_model is NextModel.YES
    assert verdict.bench_scope is BenchScope.HOST


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BROKEN_BODIES = {
    "length, after the head": (HEAD + b"content-length: 999\r\n\r\n", b""),
    "length, within": (HEAD + b"content-length: 999\r\n\r\n", b"{"),
    "chunks, after the head": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b""),
    "chunks, within": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
}


@pytest.mark.parametrize("on_aiohttp", [False, True])
@pytest.mark.parametrize("end", [reset, hang_up])
@pytest.mark.parametrize("how", BROKEN_BODIES)
async def test_whatever_breaks_after_the_head_is_a_cut_stream(on_aiohttp, how, end):
    (head, body), head_is_in = BROKEN_BODIES[how], asyncio.Event()

    async def note(_response):
        head_is_in.set()

    async def serve(reader, writer):
        writer.write(head)
        await head_is_in.wait()  # a reset overtakes what was not read yet
        writer.write(body)
        await writer.drain()
        await end(reader, writer)

    kind = anthropic.DefaultAioHttpClient if on_aiohttp else anthropic.DefaultAsyncHttpxClient
    http_client = kind(verify=TRUSTS_NOBODY, event_hooks={"response": [note]})
    async with server(serve) as url:
        failure = await sdk_failure(url, PLAIN, http_client)
    verdict = verdict_on(failure)
    assert isinstance(failure, anthropic.APIConnectionError)
    assert str(verdict) == "transient · stream_cut"
    assert verdict.sent is Sent.MAYBE
    assert verdict.try_next_model is NextModel.YES


@pytest.mark.parametrize("status", [200, 529])
def test_a_plain_call_without_a_loop_that_breaks_within_the_body_is_a_cut_stream(status):
    class Broken(httpx2.SyncByteStream):
        def __iter__(self):
            yield b"{"
            raise httpx2.ReadError("[Errno 104] Connection reset by peer")

    http_client = httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(status, stream=Broken()))
    )
    with (
        anthropic.Anthropic(api_key="k", max_retries=0, http_client=http_client) as client,
        pytest.raises(anthropic.APIConnectionError) as caught,
    ):
        client.messages.create(model=MODEL, **REQUEST)
    assert str(verdict_on(caught.value)) == "transient · stream_cut"


@CLIENTS
async def test_chunks_that_are_none_break_off_after_the_head(client):
    reply = HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"
    async with server(broken_off(reply)) as url:
        verdict = verdict_on(await client(url, PLAIN))
    assert str(verdict) in {"unknown · bad_reply", "transient · stream_cut"}
    assert verdict.try_next_model is NextModel.YES


@CLIENTS
async def test_a_certificate_that_nobody_vouches_for(client):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(FIXTURES / "self_signed.pem")
    async with server(never_answer, tls) as url:
        verdict = verdict_on(await client(url, PLAIN))
    assert str(verdict) == "auth_error · connection_setup"
    assert verdict.sent is Sent.NO


@CLIENTS
async def test_tls_to_a_port_that_speaks_none(client):
    async def speak_plainly(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with server(speak_plainly) as url:
        verdict = verdict_on(await client(url.replace("http:", "https:"), PLAIN))
    assert str(verdict) == "auth_error · connection_setup"


@CLIENTS
async def test_a_reply_that_is_not_http(client):
    async with server(broken_off(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as url:
        verdict = verdict_on(await client(url, PLAIN))
    assert str(verdict) == "unknown · bad_reply"
    assert verdict.breaker is BreakerEffect.COUNTS


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("on_aiohttp", [False, True])
async def test_read_timeout(streaming, on_aiohttp):
    kind = anthropic.DefaultAioHttpClient if on_aiohttp else anthropic.DefaultAsyncHttpxClient
    http_client = kind(verify=TRUSTS_NOBODY, timeout=httpx2.Timeout(5, read=0.05))
    recording = "stream_complete" if streaming else PLAIN
    async with server(never_answer) as url:
        verdict = verdict_on(await sdk_failure(url, recording, http_client))
    assert str(verdict) == "timeout · no_answer"
    assert verdict.sent is Sent.MAYBE


async def test_pool_timeout_is_our_own_saturation():
    limits = httpx2.Limits(max_connections=1)
    http_client = anthropic.DefaultAsyncHttpxClient(
        verify=TRUSTS_NOBODY, limits=limits, timeout=httpx2.Timeout(5, pool=0.05)
    )
    held = asyncio.Event()

    async def hold(reader, _writer):
        await read_request(reader)
        held.set()
        await reader.read()

    async with (
        server(hold) as url,
        anthropic.AsyncAnthropic(
            api_key="sk-ant-test", base_url=url, max_retries=0, http_client=http_client
        ) as client,
    ):
        first = asyncio.create_task(client.messages.create(model=MODEL, **REQUEST))
        await held.wait()
        with pytest.raises(anthropic.APITimeoutError) as caught:
            await client.messages.create(model=MODEL, **REQUEST)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    verdict = verdict_on(caught.value)
    assert str(verdict) == "transient · saturated"
    assert verdict.sent is Sent.NO


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx2.ConnectTimeout("timed out"), "transient · connection"),
        (httpx2.WriteTimeout("timed out"), "transient · connection"),
        (httpx2.ReadTimeout("timed out"), "timeout · no_answer"),
        (httpx2.PoolTimeout("timed out"), "transient · saturated"),
        (httpx2.ProxyError("503 Service Unavailable"), "transient · connection"),
        (httpx2.LocalProtocolError("Illegal header value b'\\n'"), "permanent · bad_call"),
        (httpx2.UnsupportedProtocol("no scheme"), "permanent · bad_call"),
        (RuntimeError("Cannot send a request, as the client has been closed."),
         "permanent · bad_call"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else None,
)  # fmt: skip
async def test_what_the_sdk_makes_of_its_transports_errors(raised, expected):
    def fail(_request):
        raise raised

    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(fail))
    failure = await sdk_failure("http://127.0.0.1", PLAIN, http_client)
    assert isinstance(failure, anthropic.APIConnectionError)
    assert str(verdict_on(failure)) == expected


async def test_a_call_without_a_key_is_never_sent(monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    async with anthropic.AsyncAnthropic(max_retries=0, base_url="http://127.0.0.1:1") as client:
        with pytest.raises(TypeError) as caught:
            await client.messages.create(model=MODEL, **REQUEST)
    verdict = verdict_on(caught.value)
    assert str(verdict) == "auth_error · authentication"
    assert verdict.sent is Sent.NO


async def test_a_call_with_bad_arguments_is_never_sent():
    async with anthropic.AsyncAnthropic(api_key="sk-ant-test", max_retries=0) as client:
        with pytest.raises(TypeError) as caught:
            await client.messages.create(model=MODEL, wrong=1, **REQUEST)
        with pytest.raises(ValueError, match="Streaming is") as too_long:
            await client.messages.create(model=MODEL, **{**REQUEST, "max_tokens": 10_000_000})
    for failure in (caught.value, too_long.value):
        verdict = verdict_on(failure)
        assert str(verdict) == "permanent · bad_call"
        assert verdict.sent is Sent.NO


async def test_a_silent_wire_call_that_is_cancelled_is_no_failure():
    async with server(never_answer) as url:
        task = asyncio.create_task(wire_failure(url, PLAIN))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert verdict_on(caught.value).reason == "cancelled"
