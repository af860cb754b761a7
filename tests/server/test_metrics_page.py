"""``/metrics`` as Prometheus reads it."""

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from server_kit import FakeProvider, ask, assistant, call, stream
from server_process import served

from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import RetrySettings
from failsoft.server import create_app

DOWN = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')
CUT = ("Half ", StreamCut("cut"))


def samples(text):
    return {
        (sample.name.removeprefix("failsoft_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_it_counts_what_people_met():
    provider = FakeProvider((DOWN,), ("Hi.",), CUT)
    app = create_app(assistant(provider, retry=RetrySettings(max_attempts=2)))
    assert (await ask(app)).json["level"] == "full"
    assert (await stream(app)).events[-1]["type"] == "stream_interrupted"
    reply = await call(app, "/metrics", method="GET")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    found = samples(reply.body.decode())
    best, second = "anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"
    assert found["requests_total", "chat", "full", "none", "none", "success"] == 1
    assert found["requests_total", "chat", "error", "minimal", "network", "transient"] == 1
    assert found["served_total", "1", second, "chat"] == 1
    assert found["errors_total", "provider", "transient"] == 1
    assert found["fallbacks_total", *sorted((best, second, "chat"))] == 1
    assert found["stream_interruptions_total", "stream_cut"] == 1
    assert found["inflight", "chat"] == 0
    assert found["store_up", "request_log"] == 1
    assert found["route_breaker_state", "chat"] == 0
    assert found["time_to_first_content_seconds_count", "chat"] == 2


async def test_where_there_are_keys_it_wants_one():
    app = create_app(assistant(FakeProvider(("Hi.",)), api_keys=("ops:sk-one",)))
    assert (await call(app, "/metrics", method="GET")).status == 401
    key = {"authorization": "Bearer sk-one"}
    assert (await call(app, "/metrics", method="GET", headers=key)).status == 200


async def test_any_worker_tells_of_all():
    async with served(drain=5, workers=3) as server:
        connector = aiohttp.TCPConnector(force_close=True)
        base = f"http://127.0.0.1:{server.port}"
        async with aiohttp.ClientSession(base, connector=connector) as session:

            async def post():
                async with session.post("/api/chat", json={"message": "?"}) as reply:
                    assert reply.status == 200

            await asyncio.gather(*(post() for _ in range(30)))
            for _ in range(5):
                async with session.get("/metrics") as reply:
                    found = samples(await reply.text())
                assert found["requests_total", "chat", "full", "none", "none", "success"] == 30
