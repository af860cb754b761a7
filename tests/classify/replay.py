"""The recorded replies of ``fixtures/``, sent over a real socket and met by real clients."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2

from failsoft.config.settings import ProviderSettings, Settings
from failsoft.policy.target import Target
from failsoft.providers.protocol import ProviderCall
from failsoft.providers.wires import wire_for

FIXTURES = Path(__file__).parent / "fixtures"
MODEL = "claude-opus-5-5"
REQUEST: Any = {"max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}

# Loading the system's certificates takes longer than a whole test; plain HTTP needs none.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.http").read_bytes()


def streams(name: str) -> bool:
    return b"text/event-stream" in recorded(name).partition(b"\r\n\r\n")[0]


async def read_request(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    await reader.readexactly(int(length or 0))


def replaying(reply: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(reply)
        await writer.drain()
        writer.close()

    return serve


@contextlib.asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer every connection by ``serve``; gives the address. All connections end with it."""
    open_now: set[asyncio.Task[None]] = set()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        open_now.discard(task)

    listening = await asyncio.start_server(once, "127.0.0.1", 0, ssl=tls)
    async with listening:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for task in open_now:
            task.cancel()
        if open_now:
            await asyncio.wait(open_now)


async def wire_failure(url: str, name: str) -> object:
    """What failsoft's own wire provider raises, or the message where it raises nothing."""
    del name
    own = ProviderSettings(api_key="sk-ant-test", base_url=url)
    wire = wire_for("anthropic", Settings(anthropic=own))
    call = ProviderCall(target=Target(provider="anthropic", model=MODEL), body=REQUEST)
    try:
        async with wire.exchange(call) as exchange:
            async for _ in exchange:
                pass
            return exchange.message
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is to be classified
        return failure
    finally:
        await wire.aclose()


async def sdk_failure(url: str, name: str, http_client: httpx2.AsyncClient | None = None) -> object:
    """What the SDK raises, or gives as the result of a call that failed silently."""
    http_client = http_client or anthropic.DefaultAsyncHttpxClient(verify=TRUSTS_NOBODY)
    async with anthropic.AsyncAnthropic(
        api_key="sk-ant-test", base_url=url, max_retries=0, http_client=http_client
    ) as client:
        try:
            if not streams(name):
                return await client.messages.create(model=MODEL, **REQUEST)
            async with client.messages.stream(model=MODEL, **REQUEST) as stream:
                return await stream.get_final_message()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is to be classified
            return failure


async def sdk_on_aiohttp_failure(url: str, name: str) -> object:
    return await sdk_failure(url, name, anthropic.DefaultAioHttpClient(verify=TRUSTS_NOBODY))


async def bare_reply(url: str, name: str) -> object:
    """The reply object of an HTTP client, which raises for no status."""
    del name
    async with httpx2.AsyncClient(verify=TRUSTS_NOBODY) as client:
        return await client.post(url, json=REQUEST)
