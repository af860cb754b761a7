"""A service without Prometheus tells a webhook itself."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from aiohttp import web
from server_kit import FakeProvider, assistant, listening, request_bytes

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import AlertSettings, BreakerSettings, LinkSettings
from failsoft.server import create_app

STATUS_PAGE = "https://status.example.com"
overloaded = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[tuple[str, asyncio.Queue[dict[str, object]]]]:
    got: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        got.put_nowait(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


async def ask(port: int, times: int) -> None:
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes("/api/chat", {"message": "?"}, "connection: close"))
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
        writer.close()


async def test_a_breaker_that_opens_is_told_at_once():
    async with receiving() as (url, got):
        ai = assistant(
            FakeProvider((overloaded,)),
            chain=("anthropic/claude-opus-5-5",),
            alerts=AlertSettings(webhook_url=url),
            links=LinkSettings(status_page=STATUS_PAGE),
            breaker=BreakerSettings(failure_threshold=3, failure_span_seconds=0),
        )
        async with listening(create_app(ai)) as port, asyncio.timeout(10):
            await ask(port, 3)
            said = await got.get()
    assert (said["alert"], said["status"]) == ("FailsoftCircuitOpen", "firing")
    assert (said["severity"], said["subject"]) == ("page", "chat")
    assert said["status_page"] == STATUS_PAGE
    assert STATUS_PAGE in str(said["text"])
    assert got.empty()


async def test_a_webhook_that_is_dead_costs_no_request_anything():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    dead = AlertSettings(webhook_url=f"http://127.0.0.1:{port}/planted")
    ai = assistant(FakeProvider((overloaded,)), alerts=dead)
    async with listening(create_app(ai)) as own, asyncio.timeout(10):
        await ask(own, 12)
    assert "planted" not in repr(dead)


async def test_without_a_webhook_nobody_looks():
    ai = assistant(FakeProvider(("Hi.",)))
    before = set(asyncio.all_tasks())
    async with listening(create_app(ai)):
        started = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}
    assert not [name for name in started if name.startswith(("Watch", "Webhook"))]
