"""Messages reach a webhook in order, and one that is dead costs nobody anything."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from failsoft.telemetry.alerts import Webhook

SECRET = "T000/B000/planted-secret"


class Receiver:
    """Answers with each of the statuses, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[dict[str, object]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(json.loads(await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@contextlib.asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*statuses)
    app = web.Application()
    app.router.add_post(f"/{SECRET}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{SECRET}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def post(url: str, *messages: dict[str, object], waits=(0.0,)) -> None:
    webhook = Webhook(url, waits=waits)
    webhook.start()
    for message in messages:
        webhook.put(message)
    await webhook.aclose(10)


async def test_messages_arrive_in_order():
    async with receiving() as receiver:
        await post(receiver.url, {"text": "a"}, {"text": "b"})
        assert receiver.bodies == [{"text": "a"}, {"text": "b"}]


async def test_one_that_is_refused_is_sent_again():
    async with receiving(503) as receiver:
        await post(receiver.url, {"text": "a"}, {"text": "b"})
        assert [body["text"] for body in receiver.bodies] == ["a", "a", "b"]


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_after_the_last_try_it_is_dropped_with_a_line_that_tells_no_secret(caplog, status):
    with caplog.at_level(logging.ERROR):
        async with receiving(status, status) as receiver:
            await post(receiver.url, {"alert": "FailsoftTransient", "status": "firing"}, {"n": 2})
            assert len(receiver.bodies) == 3
    (line,) = caplog.records
    assert line.fields == {
        "alert": "FailsoftTransient",
        "status": "firing",
        "problem": f"it answered {status}",
    }
    assert SECRET not in caplog.text + str(line.__dict__)


async def test_nobody_listens(caplog, unused_address):
    await post(unused_address, {"alert": "A"})
    assert [line.fields["problem"] for line in caplog.records] == ["ClientConnectorError"]
    assert SECRET not in caplog.text


async def test_a_full_queue_never_waits(caplog, unused_address):
    webhook = Webhook(unused_address, waits=(3600.0,))
    webhook.start()
    for number in range(150):
        webhook.put({"alert": number})
    assert len(caplog.records) == 50
    await webhook.aclose(0.01)
    assert caplog.records[-1].message == "alerts_unsent"


async def test_one_that_never_answers_is_given_up(monkeypatch, caplog):
    monkeypatch.setattr("failsoft.telemetry.alerts._TIMEOUT_SECONDS", 0.05)
    stuck = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await post(f"http://127.0.0.1:{port}/", {"alert": "A"})
    stuck.set()
    server.close()
    await server.wait_closed()
    assert "Timeout" in caplog.records[0].fields["problem"]


@pytest.fixture
async def unused_address():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"http://127.0.0.1:{port}/{SECRET}"
