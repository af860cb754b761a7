"""The journal and the control routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from failsoft.chaos.simulator import Simulator, create_app
from failsoft.chaos.simulator.journal import Journal

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello you"}]}
STARTED_AT = 1_790_000_000.0


@pytest.fixture
async def http(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession(sim.url, headers=headers) as session:
        yield session


async def test_every_request_is_noted_exactly(
    sim: Simulator, http: aiohttp.ClientSession, clock: Any
) -> None:
    sim.set("m", faults=["latency;first_content_ms=500;between_events_ms=100", "529;from=2s"])
    clock.advance(1)
    answered = await http.post("/v1/messages", json={**BODY, "stream": True})
    await answered.read()
    clock.advance(10)
    failed = await http.post("/v1/messages", json=BODY)
    journal = await (await http.get("/_sim/requests")).json()
    assert journal["started_at"] == STARTED_AT
    assert journal["dropped"] == 0
    first, second = journal["requests"]
    digest = first["prompt_sha256"]
    assert first == {
        "request_id": answered.headers["request-id"],
        "path": "/v1/messages",
        "arrived_s": 1.0,
        "first_byte_s": 1.5,
        "ended_s": pytest.approx(2.3),
        "arrived_at": STARTED_AT + 1,
        "first_byte_at": STARTED_AT + 1.5,
        "ended_at": pytest.approx(STARTED_AT + 2.3),
        "model": "m",
        "number": 1,
        "stream": True,
        "fault": None,
        "status": 200,
        "outcome": "completed",
        "contents": 9,
        "prompt_sha256": digest,
        "prompt_start": "Hello you",
    }
    assert second == {
        **first,
        "request_id": failed.headers["request-id"],
        "arrived_s": pytest.approx(12.3),
        "first_byte_s": pytest.approx(12.8),
        "ended_s": pytest.approx(12.8),
        "arrived_at": pytest.approx(STARTED_AT + 12.3),
        "first_byte_at": pytest.approx(STARTED_AT + 12.8),
        "ended_at": pytest.approx(STARTED_AT + 12.8),
        "number": 2,
        "stream": False,
        "fault": "529;from=2",
        "status": 529,
        "contents": 0,
    }


async def test_a_chat_completion_is_noted_in_the_same_way(
    sim: Simulator, http: aiohttp.ClientSession
) -> None:
    sim.set("gpt-*", faults=["cut;after=2"])
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello you"}]}
    for changed in ({}, {"stream": True}, {"tools": [{"type": "custom"}]}):
        with suppress(aiohttp.ClientError):
            asked = {"json": {**body, **changed}, "headers": {"authorization": "Bearer k"}}
            await (await http.post("/openai/v1/chat/completions", **asked)).read()
    plain, streamed, other = sim.requests
    assert {request.path for request in sim.requests} == {"/openai/v1/chat/completions"}
    assert (streamed.model, streamed.number, streamed.stream) == ("gpt-5.5", 2, True)
    assert (streamed.fault, streamed.status, streamed.outcome) == ("cut;after=2", 200, "cut")
    assert (streamed.contents, plain.contents, plain.prompt_start) == (2, 0, "Hello you")
    assert plain.prompt_sha256 == streamed.prompt_sha256 != other.prompt_sha256


async def test_other_prompts_have_other_hashes_and_long_ones_are_shortened(
    sim: Simulator, http: aiohttp.ClientSession
) -> None:
    for body in (BODY, {**BODY, "max_tokens": 1}, {**BODY, "system": "Be brief."}):
        await http.post("/v1/messages", json=body)
    long = {**BODY, "messages": [{"role": "user", "content": "x" * 1000}]}
    await http.post("/v1/messages", json=long)
    hashes = [request.prompt_sha256 for request in sim.requests]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert sim.requests[3].prompt_start == "x" * 80


async def test_requests_that_come_to_nothing_are_noted_too(
    sim: Simulator, http: aiohttp.ClientSession
) -> None:
    await http.post("/v1/messages", data=b"{")
    await http.get("/v1/models")
    await http.get("/elsewhere")
    assert (await http.get("/_sim/v1/models")).status == 404
    noted = [(request.path, request.status, request.model) for request in sim.requests]
    assert noted == [
        ("/v1/messages", 400, None),
        ("/v1/models", 200, None),
        ("/elsewhere", 404, None),
    ]


@pytest.mark.parametrize("fault", ["hang", "stall", "ping_only", "slow_drip;every_ms=10"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_is_noted(
    http: aiohttp.ClientSession, until: Any, fault: str, *, stream: bool
) -> None:
    # On the real clock: virtual sleeps would spin until the client has gone.
    async with Simulator(faults=[f"m={fault}"]) as real:
        post = asyncio.create_task(_read(http, real.url, stream=stream))
        await until(lambda: bool(real.requests))
        await asyncio.sleep(0.02)
        assert real.requests[0].outcome == "open"
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        await until(lambda: real.requests[0].outcome == "client_gone")


async def test_a_client_that_leaves_during_a_write_is_no_error(
    http: aiohttp.ClientSession, sim: Simulator, monkeypatch: Any, caplog: Any
) -> None:
    async def leave(*_: Any) -> web.StreamResponse:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr("failsoft.chaos.simulator.server._answered", leave)
    await (await http.post("/v1/messages", json=BODY)).read()
    assert sim.requests[0].outcome == "client_gone"
    assert [line for line in caplog.records if line.levelname == "ERROR"] == []


async def _read(http: aiohttp.ClientSession, url: str, *, stream: bool) -> None:
    async with http.post(f"{url}/v1/messages", json={**BODY, "stream": stream}) as reply:
        await reply.read()


async def test_what_is_in_flight_when_the_simulator_stops_was_cut(
    http: aiohttp.ClientSession, until: Any
) -> None:
    async with Simulator(faults=["m=hang"]) as real:
        post = asyncio.create_task(_read(http, real.url, stream=True))
        await until(lambda: bool(real.requests))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post
    assert real.requests[0].outcome == "cut"


async def test_the_journal_keeps_the_last_ones_and_counts_the_rest(clock: Any) -> None:
    journal = Journal(clock=clock, seed=0, limit=3)
    ids = [journal.open(f"/{n}").request_id for n in range(5)]
    assert len(set(ids)) == 5
    assert [record.path for record in journal.records] == ["/2", "/3", "/4"]
    assert journal.as_json()["dropped"] == 2
    journal.clear()
    assert journal.as_json()["requests"] == []
    assert journal.as_json()["dropped"] == 0
    assert journal.open("/5").request_id not in ids


async def test_the_journal_is_emptied_on_demand(
    sim: Simulator, http: aiohttp.ClientSession
) -> None:
    await http.get("/v1/models")
    assert (await http.delete("/_sim/requests")).status == 204
    assert sim.requests == []


async def test_faults_are_set_read_and_removed(sim: Simulator, http: aiohttp.ClientSession) -> None:
    wrong = await http.put("/_sim/models/a*b", json={"faults": []})
    assert (wrong.status, sim.requests) == (400, [])
    assert "* may only end a model's name" in (await wrong.json())["error"]
    put = await http.put("/_sim/models/m", json={"faults": ["529@0.5 ; retry_after=2s", "hang@0"]})
    assert await put.json() == {"faults": ["529@0.5;retry_after=2", "hang@0"]}
    await http.put("/_sim/models/*", json={"faults": ["503"]})
    await http.put("/_sim/models/vendor/model@1", json={"faults": []})
    read = await (await http.get("/_sim/models")).json()
    assert read == {
        "models": {
            "*": {"faults": ["503"]},
            "m": {"faults": ["529@0.5;retry_after=2", "hang@0"]},
            "vendor/model@1": {"faults": []},
        }
    }
    assert (await http.post("/v1/messages", json=BODY)).status in {503, 529}
    for model in ("m", "*", "never-set"):
        assert (await http.delete(f"/_sim/models/{model}")).status == 204
    assert (await http.post("/v1/messages", json=BODY)).status == 200
    assert len(sim.requests) == 2


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"{", 'body: must be a JSON object, for example {"faults": ["529@0.2"]}'),
        (b"[]", "body: must be a JSON object"),
        (b"{}", "faults: must be a list of faults"),
        (b'{"faults": [], "latency": 3}', "body: unknown key 'latency'; allowed are faults"),
        (b'{"faults": ["x"]}', "faults 'x': 'x' is no fault"),
    ],
)
async def test_a_wrong_put_changes_nothing_and_is_told_why(
    sim: Simulator, http: aiohttp.ClientSession, raw: bytes, told: str
) -> None:
    sim.set("m", faults=["503"])
    reply = await http.put("/_sim/models/m", data=raw)
    assert reply.status == 400
    assert told in (await reply.json())["error"]
    assert (await http.post("/v1/messages", json=BODY)).status == 503


async def test_the_application_runs_under_any_runner() -> None:
    runner = web.AppRunner(create_app(faults=["m=529"]), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession(headers=headers) as session:
        host, port = runner.addresses[0]
        assert (await session.post(f"http://{host}:{port}/v1/messages", json=BODY)).status == 529
    await runner.cleanup()
