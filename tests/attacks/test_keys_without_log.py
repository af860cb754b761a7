"""A key sent again while the request log is down: one call, or a reply that says so."""

import asyncio
import shutil
from contextlib import asynccontextmanager

import pytest
from redis_server import needs_redis, redis_server
from server_kit import FakeProvider, assistant, call

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import BreakerSettings, RetrySettings
from failsoft.server import create_app
from failsoft.server.held_runs import HELD_SECONDS

KEY = {"idempotency-key": "k"}
OVERLOADED = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')
QUESTION = {"message": "Do I pay twice?"}


async def send(app, path="/api/chat", headers=KEY, **fields):
    return await call(app, path, QUESTION | fields, headers=headers)


def log_in(health):
    return health["stores"][0]


async def health(app):
    return (await call(app, "/api/health/ai", method="GET")).json


async def until_back(app):
    async with asyncio.timeout(20):
        while (log := log_in(await health(app))) and not (log["up"] and "held" not in log):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".failsoft"


@asynccontextmanager
async def serving(*scripts, **settings):
    provider = FakeProvider(*(scripts or (("Once.", " And no more."),)))
    settings.setdefault("breaker", BreakerSettings(metrics_only=True))
    ai = assistant(provider, **settings)
    try:
        yield create_app(ai), provider
    finally:
        await ai.aclose(drain_seconds=0)


def break_it(folder):
    folder.write_text("a file where the folder should be")


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_one_process_answers_it_once(folder, path):
    break_it(folder)
    async with serving() as (app, provider):
        first, *again = [await send(app, path) for _ in range(3)]
        assert {reply.body for reply in again} == {first.body}
        assert {reply.headers["idempotency-status"] for reply in (first, *again)} == {"unprotected"}
        assert [reply.headers.get("idempotent-replayed") for reply in (first, *again)] == [
            None, "true", "true"
        ]  # fmt: skip
        assert len(provider.calls) == 1
        assert log_in(await health(app))["held"] == 1
        other = await send(app, path, message="Something else?")
        assert other.status == 422


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_what_was_held_is_in_the_log_once_it_is_back(folder, path):
    break_it(folder)
    async with serving() as (app, provider):
        first = await send(app, path)
        folder.unlink()
        await until_back(app)
        again = await send(app, path)
        assert (again.body, "idempotency-status" in again.headers) == (first.body, False)
        request_id = first.headers["x-request-id"]
        told = (await call(app, f"/api/requests/{request_id}", method="GET")).json
        assert (told["status"], told["text"]) == ("done", "Once. And no more.")
        assert len(provider.calls) == 1
    async with serving() as (app, provider):  # another process has only the log
        assert (await send(app, path)).body == first.body
        assert provider.calls == []


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_its_status_is_known_to_the_process_that_answered(folder, path):
    break_it(folder)
    async with serving() as (app, _):
        first = await send(app, path)
        told = await call(app, f"/api/requests/{first.headers['x-request-id']}", method="GET")
        assert (told.status, told.json["status"]) == (200, "done")
        assert told.json["text"] == "Once. And no more."
        other = await call(app, "/api/requests/req_" + "0" * 32, method="GET")
        assert other.status == 503


async def test_who_stops_it_is_told_that_it_has_stopped(folder):
    break_it(folder)
    async with serving(("Once.", asyncio.Event().wait)) as (app, provider), asyncio.timeout(20):
        asked = asyncio.create_task(send(app, "/api/chat/stream"))
        await provider.called(1)
        place = f"/api/requests/{provider.calls[0].request_id}"
        stopped = await call(app, place, method="DELETE")
        cut = await asked
        again = await call(app, place, method="DELETE")
    assert [(reply.status, reply.json["status"]) for reply in (stopped, again)] == [
        (200, "cancelled"),
        (200, "cancelled"),
    ]
    assert cut.events[-1]["type"] in ("stream_interrupted", "error")


async def test_after_a_failure_that_may_pass_the_key_runs_again(folder):
    break_it(folder)
    retry = RetrySettings(max_attempts=1)
    async with serving((OVERLOADED,), ("Now.",), retry=retry) as (app, provider):
        failed = await send(app)
        assert (failed.status, failed.headers["idempotency-status"]) == (503, "unprotected")
        answered = await send(app)
        assert answered.json["response"] == "Now."
        assert answered.headers["x-request-id"] == failed.headers["x-request-id"]
        assert (await send(app)).body == answered.body
        assert len(provider.calls) == 2


async def test_without_a_key_nothing_was_promised(folder):
    break_it(folder)
    async with serving() as (app, provider):
        for _ in range(2):
            assert "idempotency-status" not in (await send(app, headers={})).headers
        assert len(provider.calls) == 2
        assert "held" not in log_in(await health(app))


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
async def test_a_service_may_refuse_what_it_cannot_protect(folder, path):
    break_it(folder)
    async with serving(on_log_down="refuse") as (app, provider):
        for _ in range(2):
            refused = await send(app, path)
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            assert refused.headers["content-type"] == "application/problem+json"
        assert provider.calls == []
        assert (await send(app, path, headers={})).status == 200
        folder.unlink()
        await until_back(app)
        assert (await send(app, path)).status == 200


async def test_what_does_not_fit_is_counted(folder, monkeypatch):
    monkeypatch.setattr("failsoft.server.held_runs.HELD_BYTES", 3000)
    break_it(folder)
    async with serving(("x" * 400,)) as (app, provider):
        for number in range(10):
            await send(app, headers={"idempotency-key": f"k{number}"})
        log = log_in(await health(app))
        assert log["held"] + log["dropped"] == 10
        assert 1 <= log["held"] < 10
        await send(app, headers={"idempotency-key": "k9"})  # the newest is held
        assert len(provider.calls) == 10


def test_an_hour_is_long_enough():
    assert HELD_SECONDS == 3600


@needs_redis
async def test_sixty_copies_over_two_servers_with_redis_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with redis_server(tmp_path) as server:
        async with (
            serving(redis_url=server.url) as (one, first),
            serving(redis_url=server.url) as (two, second),
        ):
            kept = await send(one)
            assert "idempotency-status" not in kept.headers
            server.kill()
            replies = await asyncio.gather(
                *(send(app, headers={"idempotency-key": "gone"}) for app in (one, two) * 30)
            )
            assert {reply.status for reply in replies} == {200}
            assert {reply.headers["idempotency-status"] for reply in replies} == {"unprotected"}
            assert (len(first.calls), len(second.calls)) == (2, 1)
            server.start()
            await until_back(one)
            await until_back(two)
            again = [await send(app, headers={"idempotency-key": "gone"}) for app in (one, two)]
            assert len({reply.body for reply in again}) == 1
            assert (len(first.calls), len(second.calls)) == (2, 1)
    shutil.rmtree(tmp_path / ".failsoft", ignore_errors=True)
