"""Nothing is done twice and nothing is lost, in one process; the log is a real file."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, Header
from server_kit import FakeProvider, assistant, call, hang, listening, request_bytes

from failsoft.classify.wire_errors import ReplyFailed, StreamCut
from failsoft.config.settings import RetrySettings
from failsoft.request_log.contract import RequestState
from failsoft.request_log.lookup import tell_of
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.server import create_app, router
from failsoft.telemetry.history import read_story

KEY = {"idempotency-key": "intent-1"}
CHAT, STREAM = "/api/chat", "/api/chat/stream"
QUESTION = {"message": "Hello?"}
OVERLOADED = ReplyFailed(status=529, body=b'{"error":{"type":"overloaded_error"}}')
BOTH = pytest.mark.parametrize("path", [CHAT, STREAM])


def made(*scripts, **changes):
    provider = FakeProvider(*scripts)
    ai = assistant(provider, **changes)
    app = create_app(ai)
    app.state.ai = ai
    return provider, app


async def post(app, path=STREAM, headers=KEY, **fields):
    return await call(app, path, QUESTION | fields, headers=headers)


async def get(app, path, method="GET", **headers):
    return await call(app, path, method=method, headers=headers)


async def status(app, reply_or_id):
    request_id = getattr(reply_or_id, "headers", {}).get("x-request-id", reply_or_id)
    return (await get(app, f"/api/requests/{request_id}")).json


def data(reply):
    """Events with whatever numbers they have: a resumed stream does not begin with 1."""
    blocks = [block.removeprefix("data: ") for block in reply.body.decode().split("\n\n")]
    assert reply.body.endswith(b"data: [DONE]\n\n")
    pairs = [block.split("\nid: ", 1) for block in blocks if "\nid: " in block]
    return [(int(number), json.loads(text)) for text, number in pairs]


class Gate:
    """A step that holds an answer back until it is opened."""

    def __init__(self):
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self):
        self.reached.set()
        await self.open.wait()


@BOTH
async def test_copies_at_once_are_one_call_and_the_same_bytes(path):
    gate = Gate()
    provider, app = made(("Fine. ", gate, "Really."))
    copies = [asyncio.create_task(post(app, path)) for _ in range(50)]
    await gate.reached.wait()
    copies += [asyncio.create_task(post(app, path)) for _ in range(5)]
    gate.open.set()
    replies = await asyncio.gather(*copies)
    assert len(provider.calls) == 1
    assert len({reply.body for reply in replies}) == 1
    assert len({reply.headers["x-request-id"] for reply in replies}) == 1
    assert [r.headers.get("idempotent-replayed") for r in replies].count(None) == 1


@BOTH
@pytest.mark.parametrize("again", ["intent-1", '"intent-1"', ' "intent-1" '])
async def test_what_has_ended_is_replayed(path, again):
    provider, app = made(("Fine. ", "Really."))
    first = await post(app, path)
    second = await post(app, path, {"idempotency-key": again})
    assert len(provider.calls) == 1
    assert (second.status, second.body) == (first.status, first.body)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-request-id"] == first.headers["x-request-id"]
    assert "idempotent-replayed" not in first.headers


async def test_the_same_body_is_what_says_the_same():
    provider, app = made(("Fine.",))
    raw = b'{"message": "Hello?", "max_tokens": 7}'
    other = b'{ "max_tokens":7,"message":"Hello?" }'
    assert (await call(app, CHAT, raw, headers=KEY)).status == 200
    assert (await call(app, CHAT, other, headers=KEY)).headers["idempotent-replayed"] == "true"
    assert len(provider.calls) == 1


@pytest.mark.parametrize("running", [True, False])
async def test_another_body_or_route_is_another_intent(running):
    gate = Gate()
    provider, app = made((gate, "Fine."))
    first = asyncio.create_task(post(app))
    await gate.reached.wait()
    if not running:
        gate.open.set()
        await first
    for reply in (await post(app, message="Other?"), await post(app, CHAT)):
        assert reply.status == 422
        assert "Idempotency-Key" in reply.json["detail"]
    gate.open.set()
    await first
    assert len(provider.calls) == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ümlaut", "a\tb"])
async def test_what_is_no_key(key):
    provider, app = made(("Fine.",))
    reply = await post(app, headers={"idempotency-key": key})
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert provider.calls == []


async def test_without_a_key_every_request_is_its_own():
    provider, app = made(("Fine.",))
    ids = {(await post(app, headers={})).headers["x-request-id"] for _ in range(3)}
    assert (len(ids), len(provider.calls)) == (3, 3)


@BOTH
async def test_after_a_retryable_failure_the_key_runs_again(path):
    provider, app = made((OVERLOADED,), ("Fine.",))
    first = await post(app, path)
    assert (await status(app, first))["status"] == "failed"
    second = await post(app, path)
    third = await post(app, path)
    assert len(provider.calls) == 2
    assert second.body != first.body
    assert third.body == second.body
    assert second.headers["x-request-id"] == first.headers["x-request-id"]
    assert "idempotent-replayed" not in second.headers
    assert (await status(app, first))["status"] == "done"


async def test_after_a_final_failure_it_is_told_again():
    refused = ReplyFailed(status=400, body=b'{"error":{"type":"invalid_request_error"}}')
    provider, app = made((refused,), ("Fine.",))
    first, second = await post(app, CHAT), await post(app, CHAT)
    assert (first.status, second.body, len(provider.calls)) == (422, first.body, 1)
    state = await status(app, first)
    assert (state["status"], state["retryable"]) == ("failed", False)
    assert state["notice"] == first.json["error"]
    assert state["actions"] == first.json["suggested_actions"]


async def test_an_answer_that_starts_over_says_so():
    _, app = made(("Once ", "upon ", StreamCut("cut")), ("Twice.",))
    first, second = data(await post(app)), data(await post(app))
    assert [e["type"] for _, e in first] == ["start", "text", "text", "stream_interrupted"]
    last = first[-1][1]
    assert (last["tokens_before_error"], last["chars_before_error"]) == (2, len("Once upon "))
    assert [e["type"] for _, e in second] == ["start", "restart", "text", "done"]
    assert second[1][1]["segment"] == 2
    assert [number for number, _ in first + second] == list(range(1, 9))


async def test_a_second_run_that_shows_nothing_replaces_nothing():
    _, app = made(("Once ", StreamCut("cut")), (OVERLOADED,))
    first = await post(app)
    assert [e["type"] for _, e in data(await post(app))] == ["start", "error"]
    state = await status(app, first)
    assert (state["status"], state["text"]) == ("failed", "Once ")


async def test_a_stream_is_resumed_after_the_last_event():
    gate = Gate()
    _, app = made(("a", "b", gate, "c", "d"))
    whole = asyncio.create_task(post(app))
    await gate.reached.wait()
    (request_id,) = await running(app)
    address = f"/api/requests/{request_id}/stream"
    tabs = [asyncio.create_task(get(app, address, **{"last-event-id": str(n)})) for n in (0, 2, 3)]
    await asyncio.sleep(0)
    gate.open.set()
    events = data(await whole)
    for after, tab in zip((0, 2, 3), tabs, strict=True):
        assert data(await tab) == events[after:]
    for after in (0, 2, 5):  # and after its end, from the log
        assert data(await get(app, address, **{"last-event-id": str(after)})) == events[after:]
    for after in (6, 99):
        reply = await get(app, address, **{"last-event-id": str(after)})
        assert (reply.status, reply.body) == (204, b"")
    assert (await get(app, address, **{"last-event-id": "x"})).status == 400


@pytest.mark.parametrize("after", [1, 3, 5, 6, 99])
async def test_a_post_with_its_key_goes_on_after_the_last_event(after):
    gate = Gate()
    provider, app = made(("a", "b", gate, "c", "d"))
    whole = asyncio.create_task(post(app))
    await gate.reached.wait()
    resumed = KEY | {"last-event-id": str(after)}
    joined = asyncio.create_task(post(app, headers=resumed))
    await running(app)
    await asyncio.sleep(0)
    gate.open.set()
    events = data(await whole)
    if after <= 3:
        assert data(await joined) == events[after:]
    await joined
    replay = await post(app, headers=resumed)  # and after its end, from the log
    assert (replay.status, data(replay)) == (200, events[after:])
    assert replay.headers["idempotent-replayed"] == "true"
    assert len(provider.calls) == 1


async def test_where_a_stream_is_cut_no_line_names_an_event_whose_data_is_missing():
    _, app = made(("a", "b"))
    body = (await post(app)).body
    for cut in range(len(body)):
        lines = body[:cut].split(b"\n")[:-1]
        data = [line for line in lines if line.startswith(b"data: ")]
        ids = [line for line in lines if line.startswith(b"id: ")]
        assert len(ids) in (len(data), len(data) - 1)


async def test_a_post_that_begins_a_run_gives_all_of_it_whatever_was_read_before():
    _, app = made(("Once ", StreamCut("cut")), ("Twice.",))
    elsewhere = KEY | {"last-event-id": "99"}
    first = data(await post(app, headers=elsewhere))
    assert [number for number, _ in first] == [1, 2, 3]
    second = data(await post(app, headers=KEY | {"last-event-id": "3"}))
    assert [event["type"] for _, event in second] == ["start", "restart", "text", "done"]


async def test_the_last_event_means_something_with_a_key_only():
    _, app = made(("One.",), ("Two.",))
    (number, _), *_ = data(await post(app, headers={"last-event-id": "2"}))
    assert number == 1
    assert (await post(app, headers=KEY | {"last-event-id": "x"})).status == 400
    assert [number for number, _ in data(await post(app))] == [1, 2, 3], "nothing was begun by it"


async def running(app):
    """The ids of the runs under way."""
    async with asyncio.timeout(10):
        while not (found := [run.record.id for run in desk_of(app)._runs.values()]):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    return found


def desk_of(app):
    return app.state.ai._closing[0].__self__


async def test_the_state_is_no_older_than_the_text_beside_it(monkeypatch):
    gate = Gate()
    _, app = made(("So ", "far", gate, "."))
    whole = asyncio.create_task(post(app))
    await gate.reached.wait()
    (request_id,) = await running(app)
    async with asyncio.timeout(5):
        while not (await status(app, request_id))["text"]:  # noqa: ASYNC110 - the log's thread
            await asyncio.sleep(0.02)
    log = desk_of(app).log
    find = log.find

    async def found_before_its_text_was_written(*which):
        return replace(await find(*which), state=RequestState.QUEUED)

    monkeypatch.setattr(log, "find", found_before_its_text_was_written)
    assert (await status(app, request_id))["status"] == "running"
    gate.open.set()
    await whole


async def test_the_status_of_a_request_on_its_way():
    gate = Gate()
    _, app = made(("So ", "far", gate, "."))
    whole = asyncio.create_task(post(app))
    await gate.reached.wait()
    (request_id,) = await running(app)
    async with asyncio.timeout(5):
        while (state := await status(app, request_id))["status"] == "queued":  # noqa: ASYNC110 - the log's thread
            await asyncio.sleep(0.02)
    assert (state["status"], state["text"], state["attempt"]) == ("running", "So far", 1)
    assert "result" not in state
    notice = state["notice"]
    assert "already being answered" in notice["body"]
    assert (notice["primary_action_type"], notice["reference"]) == ("wait", request_id)
    gate.open.set()
    await whole
    state = await status(app, request_id)
    assert (state["status"], state["text"], state["result"]["response"]) == (
        "done",
        "So far.",
        "So far.",
    )
    assert state["last_event_id"] == 5


@BOTH
async def test_what_is_cancelled_ends_at_the_provider_and_for_its_readers(path):
    provider, app = made(("So far", hang()))
    reading = asyncio.create_task(post(app, path))
    (request_id,) = await running(app)
    await provider.called(1)
    state = (await get(app, f"/api/requests/{request_id}", "DELETE")).json
    assert provider.open == 0
    assert (state["status"], state["notice"]["title"]) == ("cancelled", "Stopped")
    reply = await reading
    if path == STREAM:
        last = data(reply)[-1][1]
        assert last["type"] == ("stream_interrupted" if state["text"] else "error")
    again = (await get(app, f"/api/requests/{request_id}", "DELETE")).json
    assert again == state
    assert await status(app, request_id) == state


async def test_what_is_not_there():
    _, app = made(("Fine.",))
    address = "/api/requests/req_" + "0" * 32
    for path, method in ((address, "GET"), (address + "/stream", "GET"), (address, "DELETE")):
        reply = await get(app, path, method)
        assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")


async def test_a_whole_answer_has_no_stream():
    _, app = made(("Fine.",))
    request_id = (await post(app, CHAT)).headers["x-request-id"]
    assert (await get(app, f"/api/requests/{request_id}/stream")).status == 409


async def test_without_text_nothing_is_kept_but_the_fact(tmp_path):
    provider, app = made(("Secret words.",), store_text=False)
    for path, key in ((CHAT, "a"), (STREAM, "b")):
        first = await post(app, path, {"idempotency-key": key})
        assert b"Secret words." in first.body
        assert (await post(app, path, {"idempotency-key": key})).status == 409
        state = await status(app, first)
        assert (state["status"], state["text"]) == ("done", "")
    assert len(provider.calls) == 2
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert b"request" in kept
    assert b"Secret" not in kept


async def test_without_text_a_failure_is_still_told():
    refused = ReplyFailed(status=400, body=b'{"error":{"type":"invalid_request_error"}}')
    provider, app = made((refused,), ("So far", StreamCut("cut")), store_text=False)
    first = await post(app, CHAT)
    assert (await status(app, first))["notice"] == first.json["error"]
    assert (await post(app, CHAT)).body == first.body
    cut = await post(app, headers={})
    state = await status(app, cut)
    assert (state["status"], state["text"]) == ("interrupted", "")
    assert state["notice"] == data(cut)[-1][1]["error"]
    assert len(provider.calls) == 2


async def test_keys_and_requests_are_the_callers_own():
    provider, app = made(("Fine.",), api_keys=("a:key-a-123456789", "b:key-b-123456789"))
    a, b = ({"x-api-key": f"key-{name}-123456789"} for name in "ab")
    first = await post(app, headers=KEY | a)
    second = await post(app, headers=KEY | b)
    assert len(provider.calls) == 2
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    address = f"/api/requests/{first.headers['x-request-id']}"
    assert (await get(app, address, **a)).status == 200
    for path, method in ((address, "GET"), (address + "/stream", "GET"), (address, "DELETE")):
        assert (await get(app, path, method, **b)).status == 404
        assert (await get(app, path, method)).status == 401


async def test_a_mounted_router_knows_its_users():
    provider = FakeProvider(("Fine.",))
    ai = assistant(provider)

    def user(x_user: str = Header()) -> str:
        return x_user

    app = FastAPI()
    app.include_router(router(ai, principal=Depends(user)))
    replies = [await post(app, headers=KEY | {"x-user": name}) for name in ("ann", "bob", "ann")]
    assert len(provider.calls) == 2
    assert [r.headers.get("idempotent-replayed") for r in replies] == [None, None, "true"]
    address = f"/api/requests/{replies[0].headers['x-request-id']}"
    assert (await get(app, address, **{"x-user": "ann"})).status == 200
    assert (await get(app, address, **{"x-user": "bob"})).status == 404
    await ai.aclose()


async def test_a_user_without_a_name_that_lasts_is_refused(caplog):
    provider = FakeProvider(("Fine.",))
    ai = assistant(provider)
    app = FastAPI()
    app.include_router(router(ai, principal=Depends(object)))
    reply = await post(app)
    assert (reply.status, provider.calls) == (503, [])
    assert "principal= must give the user's id as a str or an int" in caplog.text


@BOTH
async def test_who_has_a_key_and_leaves_finds_the_answer(path):
    gate = Gate()
    provider, app = made(("So ", gate, "far."))
    async with listening(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(path, QUESTION, "idempotency-key: intent-1"))
        await gate.reached.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        assert provider.open == 1
        back = asyncio.create_task(post(app, path))
        await asyncio.sleep(0)
        gate.open.set()
        assert b"far." in (await back).body
    assert len(provider.calls) == 1


@BOTH
async def test_nobody_comes_back_and_it_is_cancelled(path):
    provider, app = made(("So far", hang()), ("Fine.",), linger_seconds=0.2)
    async with listening(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(path, QUESTION, "idempotency-key: intent-1"))
        await provider.called(1)
        (request_id,) = await running(app)
        writer.transport.abort()
        async with asyncio.timeout(10):
            await provider.left.wait()
        async with asyncio.timeout(10):
            while (await status(app, request_id))["status"] != "cancelled":  # noqa: ASYNC110 - the log's thread
                await asyncio.sleep(0.02)
        assert b"Fine." in (await post(app, path)).body  # and whoever asks again gets an answer


async def test_a_slow_tab_does_not_hold_up_the_other():
    provider, app = made(tuple("x" * 1000 for _ in range(2000)))
    async with listening(app, send_buffer=4096) as port:
        _, stuck = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        stuck.transport.pause_reading()
        stuck.write(request_bytes(STREAM, QUESTION, "idempotency-key: intent-1"))
        await provider.called(1)
        reply = await asyncio.wait_for(post(app), 20)
        assert len(data(reply)) == 2002
        stuck.transport.abort()
    assert len(provider.calls) == 1


@BOTH
async def test_what_happened_is_kept_with_the_request(path):
    ai = assistant(FakeProvider((OVERLOADED,), ("Hi.",)), retry=RetrySettings(max_attempts=2))
    reply = await call(create_app(ai), path, QUESTION)
    await ai.aclose()
    told = tell_of(Path(".failsoft/requests.db"), reply.headers["x-request-id"])
    assert [type(event).__name__ for event in read_story(told.stories[1])] == [
        "RequestStarted",
        *("AttemptStarted", "AttemptFinished", "FellBack"),
        *("AttemptStarted", "AttemptFinished", "RequestFinished"),
    ]


@pytest.fixture
def expiring(monkeypatch):
    """Have every record expire right after it was found."""

    def for_the_last_time(name):
        read = getattr(SqliteLog, name)

        async def read_and_expired(log, request_id, scope):
            record = await read(log, request_id, scope)
            with sqlite3.connect(Path(".failsoft", "requests.db")) as file:
                file.execute("DELETE FROM requests WHERE id = ?", (request_id,))
            return record

        monkeypatch.setattr(SqliteLog, name, read_and_expired)

    return lambda: [for_the_last_time(name) for name in ("find", "cancel")]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_record_that_expires_between_two_reads_is_not_there(expiring, caplog, method):
    _, app = made(("Fine. ", "Really."))
    number = (await post(app)).headers["x-request-id"]
    await status(app, number)
    expiring()
    reply = await get(app, f"/api/requests/{number}", method)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert "too old to be kept" in reply.json["detail"]
    assert not [one for one in caplog.records if one.exc_info]


async def test_a_stream_whose_record_expires_has_one_end(expiring, caplog):
    _, app = made(("Fine. ", "Really."))
    number = (await post(app)).headers["x-request-id"]
    await status(app, number)
    expiring()
    reply = await get(app, f"/api/requests/{number}/stream")
    ((_, end),) = data(reply)
    assert (end["type"], end["action"], end["retryable"]) == ("error", "retry", True)
    assert not [one for one in caplog.records if one.exc_info]
