"""Connections: kept, freed, cancelled and closed; proxies and certificates."""

import asyncio
import gc
import json
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import aiohttp
import pytest
from loopback import SSE_HEAD, Loopback, Peer, Respond, chunk, chunked, fixed, serving
from wire_kit import anthropic_wire

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.policy.target import Target
from failsoft.providers.anthropic import AnthropicWire
from failsoft.providers.protocol import ProviderCall

TEXT = (Path(__file__).parent / "corpus" / "text.sse").read_bytes()
SAID = "Hello! How can I help you today?"
HEAD_OF_STREAM = SSE_HEAD + b"transfer-encoding: chunked\r\n\r\n"
CALL = ProviderCall(
    target=Target(provider="anthropic", model="claude-opus-5-5"),
    body={"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
)


def wire_to(url: str) -> AnthropicWire:
    return anthropic_wire(api_key="key", base_url=url)


async def ask(provider: AnthropicWire) -> str:
    async with provider.exchange(CALL) as exchange:
        return "".join([event.text async for event in exchange])


async def hung_up(server: Loopback) -> None:
    async with asyncio.timeout(5):
        await server.all_closed.wait()


# Kept alive


async def test_a_connection_is_used_again() -> None:
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)
        for _ in range(5):
            assert await ask(provider) == SAID
        assert server.connections == 1
        await provider.aclose()


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_connection_of_its_own_is_never_a_stale_one(fresh: bool) -> None:
    """The other side closes a kept connection just as it is used again: was it sent or not?"""

    async def answer_once(peer: Peer) -> None:
        if not asked:
            asked.append(1)
            await peer.send(chunked(SSE_HEAD, TEXT))
            await peer.reader.readexactly(1)  # of the next request
            peer.reset()
            return
        await peer.send(chunked(SSE_HEAD, TEXT))

    asked: list[int] = []
    async with serving(answer_once) as server:
        provider = wire_to(server.url)
        await ask(provider)
        if fresh:
            for _ in range(2):
                async with provider.exchange(CALL._replace(fresh=True)) as exchange:
                    assert "".join([event.text async for event in exchange]) == SAID
        else:
            with pytest.raises(aiohttp.ClientError):
                await ask(provider)
        assert server.connections == (3 if fresh else 1)
        await provider.aclose()
        await hung_up(server)


async def test_a_connection_is_used_again_though_its_body_ends_a_little_late() -> None:
    async def late(peer: Peer) -> None:
        await peer.send(HEAD_OF_STREAM + chunk(TEXT))
        await asyncio.sleep(0.005)
        await peer.send(b"0\r\n\r\n")

    async with serving(late) as server:
        provider = wire_to(server.url)
        for _ in range(3):
            await ask(provider)
        assert server.connections == 1
        await provider.aclose()


async def test_an_answer_does_not_wait_for_a_body_that_never_ends() -> None:
    async def endless(peer: Peer) -> None:
        await peer.send(HEAD_OF_STREAM + chunk(TEXT))
        await peer.gone()
        peer.writer.close()

    async with serving(endless) as server:
        provider = wire_to(server.url)
        for _ in range(2):
            async with asyncio.timeout(5):
                assert await ask(provider) == SAID
            await hung_up(server)
        assert server.connections == 2
        await provider.aclose()


async def test_a_connection_is_used_again_after_an_error() -> None:
    async with serving(fixed(b"HTTP/1.1 529 Overloaded\r\n", b"{}")) as server:
        provider = wire_to(server.url)
        for _ in range(3):
            with pytest.raises(ReplyFailed):
                await ask(provider)
        assert server.connections == 1
        await provider.aclose()


async def test_many_at_once_wait_for_no_connection() -> None:
    together = 150  # more than aiohttp's own limit
    everybody_is_here = asyncio.Event()

    async def meet(peer: Peer) -> None:
        if len(server.requests) == together:
            everybody_is_here.set()
        await everybody_is_here.wait()
        await peer.send(chunked(SSE_HEAD, TEXT))

    async with serving(meet) as server:
        provider = wire_to(server.url)
        async with asyncio.timeout(30):
            said = await asyncio.gather(*(ask(provider) for _ in range(together)))
        assert said == [SAID] * together
        await provider.aclose()


async def test_no_cookie_is_kept() -> None:
    async with serving(chunked(SSE_HEAD + b"set-cookie: a=b; Path=/\r\n", TEXT)) as server:
        provider = wire_to(server.url)
        for _ in range(2):
            await ask(provider)
        await provider.aclose()
    assert all("cookie" not in request.headers for request in server.requests)


# Freed, cancelled and closed


def stuck(*before: bytes) -> Respond:
    """Send some bytes, then nothing until the client hangs up."""

    async def respond(peer: Peer) -> None:
        await peer.send(b"".join(before))
        await peer.gone()
        peer.writer.close()

    return respond


STUCK = {
    "before the headers": stuck(),
    "in the headers": stuck(b"HTTP/1.1 200 OK\r\ncontent-"),
    "in an error body": stuck(b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\nx"),
    "in a plain message": stuck(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    ),
    "before an event": stuck(HEAD_OF_STREAM),
    "between events": stuck(HEAD_OF_STREAM, chunk(TEXT[:700])),
}


@pytest.mark.parametrize("where", STUCK)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_cancelling_hangs_up_and_leaves_nothing(
    where: str,
    tls: bool,
    certificate: ssl.SSLContext,
) -> None:
    others = asyncio.all_tasks()
    async with serving(STUCK[where], tls=certificate if tls else None) as server:
        provider = wire_to(server.url)
        task = asyncio.create_task(ask(provider))
        await asyncio.wait_for(server.asked.wait(), 5)
        await asyncio.sleep(0.02)  # let what the server said arrive

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await hung_up(server)
        await provider.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == others


async def test_cancelling_does_not_wait_for_a_peer_that_reads_nothing() -> None:
    others = asyncio.all_tasks()
    accepted, over = asyncio.Event(), asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        accepted.set()
        await over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()

    provider = wire_to(f"http://127.0.0.1:{address[1]}")
    body = {"messages": [{"role": "user", "content": "x" * (16 << 20)}]}

    async def send() -> None:
        async with provider.exchange(ProviderCall(target=CALL.target, body=body)):
            pass

    task = asyncio.create_task(send())
    async with asyncio.timeout(5):
        await accepted.wait()
        await asyncio.sleep(0.02)  # let it fill what buffers there are
        assert open_to(address) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.sleep(0)
    assert open_to(address) == 0
    await provider.aclose()
    over.set()
    server.close()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == others


async def test_leaving_does_not_wait_for_the_other_side_of_tls(
    certificate: ssl.SSLContext,
) -> None:
    over = asyncio.Event()

    async def deaf(peer: Peer) -> None:
        await peer.send(HEAD_OF_STREAM + chunk(TEXT[:900]))
        peer.writer.transport.pause_reading()
        await over.wait()
        peer.reset()

    async with serving(deaf, tls=certificate) as server:
        provider = wire_to(server.url)
        async with provider.exchange(CALL) as exchange:
            await anext(exchange)
            assert open_to(("127.0.0.1", server.port)) == 1
        await asyncio.sleep(0)
        assert open_to(("127.0.0.1", server.port)) == 0
        over.set()
        await provider.aclose()


def open_to(address: object) -> int:
    """How many sockets are connected to an address."""
    sockets = [found for found in gc.get_objects() if isinstance(found, socket.socket)]
    return sum(peer_of(one) == address for one in sockets)


def peer_of(sock: socket.socket) -> object:
    try:
        return sock.getpeername()
    except OSError:
        return None


async def test_a_large_request_is_sent_whole() -> None:
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)
        text = "x" * (3 << 20)
        async with provider.exchange(ProviderCall(target=CALL.target, body={"system": text})):
            pass
        await provider.aclose()
    assert json.loads(server.requests[0].body)["system"] == text


async def test_a_redirect_is_followed_with_the_body() -> None:
    async def redirect(peer: Peer) -> None:
        if "/v1/messages" in peer.request.line:
            await peer.send(fixed(b"HTTP/1.1 307 Moved\r\nlocation: /new\r\n", b""))
        else:
            await peer.send(chunked(SSE_HEAD, TEXT))

    async with serving(redirect) as server:
        provider = wire_to(server.url)
        assert await ask(provider) == SAID
        await provider.aclose()
    first, second = server.requests
    assert second.line == "POST /new HTTP/1.1"
    assert second.body == first.body != b""


async def test_leaving_an_unfinished_stream_hangs_up() -> None:
    async with serving(stuck(HEAD_OF_STREAM, chunk(TEXT[:900]))) as server:
        provider = wire_to(server.url)
        async with provider.exchange(CALL) as exchange:
            async for event in exchange:
                if event.content:
                    break
        await hung_up(server)
        await provider.aclose()


async def test_a_connection_reset_while_idle_is_nobodys_error() -> None:
    async def answer_and_reset(peer: Peer) -> None:
        await peer.send(HEAD_OF_STREAM)
        await asyncio.sleep(0.002)
        await peer.send(chunk(TEXT) + b"0\r\n\r\n")
        await asyncio.sleep(0.02)
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.reset()

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with serving(answer_and_reset) as server:
        provider = wire_to(server.url)
        for _ in range(2):
            assert await ask(provider) == SAID
            await hung_up(server)
            await asyncio.sleep(0.01)
        gc.collect()  # the first connection
        await provider.aclose()
    assert server.connections == 2
    assert complaints == []


async def test_a_connection_remembers_no_earlier_reply() -> None:
    async def after_its_headers(peer: Peer) -> None:
        await peer.send(HEAD_OF_STREAM)
        await asyncio.sleep(0.002)
        await peer.send(chunk(TEXT) + b"0\r\n\r\n")

    def bodies() -> int:
        gc.collect()
        return sum(type(found) is aiohttp.StreamReader for found in gc.get_objects())

    before = bodies()
    async with serving(after_its_headers) as server:
        provider = wire_to(server.url)
        for _ in range(5):
            await ask(provider)
        assert server.connections == 1
        assert bodies() - before <= 1
        await provider.aclose()


async def test_closing_hangs_up_and_can_be_repeated() -> None:
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)
        await provider.aclose()
        await ask(provider)
        assert server.open == 1
        await provider.aclose()
        await provider.aclose()
        await hung_up(server)
        gc.collect()  # an unclosed session would warn, and a warning is an error


async def test_every_event_loop_has_its_own_connections() -> None:
    loops = 3
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)

        async def here() -> str:
            try:
                await ask(provider)
                return await ask(provider)
            finally:
                await provider.aclose()

        said = [await asyncio.to_thread(asyncio.run, here()) for _ in range(loops)]
        assert [*said, await here()] == [SAID] * (loops + 1)
        assert server.connections == loops + 1


# Proxies and certificates


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_the_proxy_of_the_environment_is_used(
    no_proxies: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    async with serving(chunked(SSE_HEAD, TEXT)) as proxy:
        no_proxies.setenv(variable, f"{scheme}127.0.0.1:{proxy.port}")
        provider = wire_to("http://api.example.com/v")
        assert await ask(provider) == SAID
        await provider.aclose()
    (request,) = proxy.requests
    assert request.line == "POST http://api.example.com/v/v1/messages HTTP/1.1"


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.com,127.0.0.1"])
async def test_no_proxy_is_obeyed(no_proxies: pytest.MonkeyPatch, exempt: str) -> None:
    no_proxies.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    no_proxies.setenv("NO_PROXY", exempt)
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)
        assert await ask(provider) == SAID
        await provider.aclose()


async def test_netrc_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(chunked(SSE_HEAD, TEXT)) as server:
        provider = wire_to(server.url)
        assert await ask(provider) == SAID
        await provider.aclose()
    assert server.requests[0].headers["authorization"] == "Bearer key"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, its own authority, in a file with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(  # noqa: S603  # our own words
        command.split(), cwd=folder, check=True, capture_output=True
    )
    return folder


@pytest.fixture
def certificate(authority: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    return context


async def test_the_certificates_of_the_environment_are_trusted(
    certificate: ssl.SSLContext,
) -> None:
    async with serving(chunked(SSE_HEAD, TEXT), tls=certificate) as server:
        provider = wire_to(server.url)
        assert await ask(provider) == SAID
        await provider.aclose()


async def test_no_other_certificate_is(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with serving(chunked(SSE_HEAD, TEXT), tls=certificate) as server:
        provider = wire_to(server.url)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ask(provider)
        await provider.aclose()
