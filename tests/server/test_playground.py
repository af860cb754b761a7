"""The playground's routes: who may look, what is told, what can be broken, and by whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from server_kit import FakeProvider, Reply, assistant, call, listening, service

from failsoft import Failsoft, Settings
from failsoft.chaos.simulator import Simulator
from failsoft.config.settings import ProviderSettings
from failsoft.server import create_app
from failsoft.server.playground import Demo
from failsoft.server.playground import bare_sdk as sdk
from failsoft.server.playground.crowd import MOST_OTHERS
from failsoft.server.playground.feed import MOST_BEHIND, MOST_VIEWERS, Feed
from failsoft.server.problem import Problem
from failsoft.server.service import Drain
from failsoft.telemetry.events import AttemptFinished, BreakerChanged, RequestStarted

KEY = "k" * 16
LOOKING = ("/playground", "/playground/setup", "/playground/events", "/playground/notices")
BREAKING = (
    ("GET", "/playground/simulator"),
    ("DELETE", "/playground/simulator"),
    ("PUT", "/playground/simulator/claude-opus-5-5"),
    ("PUT", "/playground/redis"),
    ("POST", "/playground/others"),
    ("POST", "/playground/sdk"),
)
NOBODY = "http://127.0.0.1:9"


async def get(app: Any, path: str, **headers: str) -> Reply:
    return await call(app, path, method="GET", headers=headers)


@asynccontextmanager
async def demo(
    redis: Callable[[bool], Awaitable[None]] | None = None, no_redis: str = "", **faults: list[str]
) -> AsyncIterator[tuple[Any, Simulator]]:
    """An app as the demo makes it, with a simulator."""
    async with Simulator() as simulator:
        for model, each in faults.items():
            simulator.set(model, faults=each)
        wire = ProviderSettings(base_url=simulator.url, api_key="any")
        ai = Failsoft(Settings(env="dev", anthropic=wire))
        async with ai:
            yield (
                create_app(
                    ai,
                    demo=Demo(
                        simulator=simulator.url,
                        faults=faults,
                        providers={"anthropic": "claude-*"},
                        cut_redis=redis,
                        no_redis=no_redis,
                    ),
                ),
                simulator,
            )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 404),
        ({"env": "production"}, 404),
        ({"env": "dev"}, 200),
        ({"playground": True}, 200),
        ({"env": "dev", "playground": False}, 404),
    ],
)
async def test_it_is_there_in_dev_or_where_it_is_asked_for(changes, status):
    app = service("Yes.", **changes)
    assert (await get(app, "/playground")).status == status
    assert (await get(app, "/playground/setup")).status == status


@pytest.mark.parametrize(("method", "path"), BREAKING)
async def test_nothing_can_be_broken_outside_the_demo(method, path):
    app = service("Yes.", env="dev")
    assert (await call(app, path, {"faults": ["529"]}, method=method)).status == 404
    assert (await get(app, "/playground/setup")).json["simulator"] is False


async def test_the_page_may_run_its_own_files_only():
    reply = await get(service("Yes.", env="dev"), "/playground")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = reply.body.decode()
    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page


@pytest.mark.parametrize("path", LOOKING)
async def test_with_keys_it_needs_one(path):
    app = service("Yes.", env="dev", api_keys=(f"acme:{KEY}",))
    assert (await get(app, path)).status == 401
    assert (await get(app, path, **{"x-api-key": "x" * 16})).status == 401


async def test_a_key_opens_it():
    app = service("Yes.", env="dev", api_keys=(f"acme:{KEY}",))
    assert (await get(app, "/playground/setup", **{"x-api-key": KEY})).status == 200


@pytest.mark.parametrize("path", LOOKING)
@pytest.mark.parametrize("host", ["evil.example", "192.0.2.7:8787", "127.0.0.1.evil.example"])
async def test_a_page_whose_name_leads_here_is_refused(path, host):
    reply = await get(service("Yes.", env="dev"), path, host=host)
    assert reply.status == 403
    assert "localhost" in reply.json["detail"]


@pytest.mark.parametrize("host", ["localhost:8787", "127.0.0.1", "[::1]:8787"])
async def test_this_machine_by_its_own_names_is_let_in(host):
    app = service("Yes.", env="dev")
    assert (await get(app, "/playground/setup", host=host)).status == 200


async def test_another_machine_is_refused():
    app = service("Yes.", env="dev")

    async def from_afar(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"client": ("192.0.2.7", 5)}, receive, send)

    for path in LOOKING:
        assert (await get(from_afar, path)).status == 403


async def test_setup_says_what_there_is():
    async with demo() as (app, _):
        told = (await get(app, "/playground/setup")).json
    assert told["simulator"] is True
    assert told["deadline_seconds"] == 30
    assert told["sdk"].startswith("anthropic ")
    assert told["redis"] == {"off": False, "problem": ""}
    assert told["health"]["targets"][0]["target"] == "anthropic/claude-opus-5-5"


# What happens, live


async def told_by(content: aiohttp.StreamReader) -> dict[str, Any]:
    while True:
        line = await content.readline()
        if line.startswith(b"data: "):
            return json.loads(line.removeprefix(b"data: "))


async def until(content: aiohttp.StreamReader, kind: str) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while not seen or seen[-1]["type"] != kind:
            seen.append(await told_by(content))
    return seen


async def test_a_viewer_is_told_what_happens_and_never_what_was_said():
    app = service("A secret answer.", env="dev")
    async with (
        listening(app) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.get("/playground/events") as feed,
    ):
        assert feed.content_type == "text/event-stream"
        assert (await told_by(feed.content))["type"] == "Health"
        async with client.post("/api/chat", json={"message": "A secret question?"}) as reply:
            whole = (await reply.json())["request_id"]
        seen = await until(feed.content, "RequestFinished")
    assert "secret" not in json.dumps(seen)
    kinds = [each["type"] for each in seen if each["type"] != "Health"]
    assert kinds == ["RequestStarted", "AttemptStarted", "AttemptFinished", "RequestFinished"]
    (shown,) = {each["request_id"] for each in seen if each["type"] != "Health"}
    assert whole.startswith(shown)
    assert len(shown) < len(whole) / 2  # with the whole id the answer could be read


async def test_the_end_of_the_process_lets_viewers_go():
    drain, feed = Drain(), Feed(dict)
    drain.on_begin(feed.close)
    with feed.viewer() as viewer:
        assert not (await viewer.read()).ended
        reading = asyncio.create_task(viewer.read())
        await drain.run(0)
        assert (await reading).ended
    with feed.viewer() as late:
        assert (await late.read()).ended


def started(number: int) -> RequestStarted:
    return RequestStarted(at=1.0, request_id=f"req_{number:032}", route="chat", stream=False)


async def test_a_viewer_who_does_not_read_loses_the_oldest_and_is_told_how_many():
    feed = Feed(lambda: {"status": "ok"})
    with feed.viewer() as viewer:
        await viewer.read()
        for number in range(MOST_BEHIND + 100):
            feed(started(number))
        await asyncio.sleep(0)
        told = (await viewer.read()).data.decode().strip().split("\n\n")
    told = [json.loads(each.removeprefix("data: ")) for each in told]
    assert told[0] == {"type": "Missed", "events": 100}
    assert [each["type"] for each in told[1:]].count("RequestStarted") == MOST_BEHIND
    assert told[-1]["type"] == "Health"


async def test_without_a_viewer_nothing_is_made():
    asked = []
    feed = Feed(lambda: asked.append(1) or {})
    feed(started(1))
    with feed.viewer() as viewer:
        assert b"RequestStarted" not in (await viewer.read()).data
    feed(object())  # what is no event would fail as soon as it was looked at
    assert asked == [1]


async def test_there_is_an_end_to_the_viewers():
    feed = Feed(dict)
    with_all = [feed.viewer() for _ in range(MOST_VIEWERS)]
    for each in with_all:
        each.__enter__()
    with pytest.raises(Problem) as raised, feed.viewer():
        pass
    assert raised.value.status == 429
    with_all[0].__exit__(None, None, None)
    with feed.viewer():
        pass


async def test_an_event_of_another_thread_arrives():
    feed = Feed(dict)
    with feed.viewer() as viewer:
        await viewer.read()
        reading = asyncio.create_task(viewer.read())
        await asyncio.sleep(0)
        await asyncio.to_thread(feed, started(7))
        async with asyncio.timeout(10):
            assert b"RequestStarted" in (await reading).data


async def test_what_json_has_no_word_for_and_what_a_provider_said_stay_out():
    feed = Feed(dict)
    opened = BreakerChanged(
        at=1.0,
        target="a/b",
        from_state="closed",
        to_state="open",
        reason="x",
        open_seconds=float("inf"),
    )
    failed = AttemptFinished(
        at=1.0,
        request_id="r",
        target="<img src=x onerror=alert(1)>",
        number=1,
        outcome="failure",
        category="permanent",
        reason="bad_request",
        fault="user",
        duration_seconds=0.1,
        first_content_seconds=None,
        detail="your prompt 'my salary is 12' is wrong",
    )
    with feed.viewer() as viewer:
        await viewer.read()
        feed(opened)
        feed(failed)
        await asyncio.sleep(0)
        data = (await viewer.read()).data.decode()
    told = [json.loads(each.removeprefix("data: ")) for each in data.strip().split("\n\n")]
    assert told[0]["open_seconds"] is None
    assert "salary" not in data
    assert told[1]["target"] == failed.target  # text, which the page shows as text


# What can be broken


async def put(app: Any, model: str, body: Any, **headers: str) -> Reply:
    return await call(app, f"/playground/simulator/{model}", body, method="PUT", headers=headers)


async def test_faults_are_set_read_and_set_back():
    async with demo(**{"claude-opus-5-5": ["529@0.2"], "*": ["latency;first_content_ms=5"]}) as (
        app,
        simulator,
    ):
        began = (await get(app, "/playground/simulator")).json
        assert began["models"] == began["began"]
        assert (await put(app, "claude-opus-5-5", {"faults": ["hang", "healthy"]})).status == 200
        assert (await put(app, "*", {"faults": []})).status == 200
        now = (await get(app, "/playground/simulator")).json
        assert now["models"] == {"*": [], "claude-opus-5-5": ["hang", "healthy"]}
        assert now["began"] == began["began"]
        back = await call(app, "/playground/simulator", method="DELETE")
        assert back.json["models"] == began["models"]
        del simulator


async def test_what_was_set_around_the_page_is_not_how_the_demo_began():
    began = {"*": ["529@0.2"]}
    async with demo(**began) as (app, simulator):
        simulator.set("claude-*", faults=["529;for=60s"])
        assert (await get(app, "/playground/simulator")).json["began"] == began
        back = await call(app, "/playground/simulator", method="DELETE")
        assert back.json["models"] == {**began, "claude-*": []}


async def test_what_was_set_happens_and_setting_back_closes_breakers():
    async with demo() as (app, simulator):
        await put(app, "*", {"faults": ["bad_key"]})
        said = await call(app, body={"message": "Hello?"})
        assert said.json["error_category"] == "auth_error"
        health = (await get(app, "/playground/setup")).json["health"]
        assert health["status"] == "down"
        await call(app, "/playground/simulator", method="DELETE")
        health = (await get(app, "/playground/setup")).json["health"]
        assert health["status"] == "ok"
        assert (await call(app, body={"message": "Hello?"})).json["status"] == "success"
        assert len(simulator.requests) >= 2


async def test_a_whole_provider_is_set_by_one_name_and_set_back():
    async with demo() as (app, _):
        told = (await get(app, "/playground/simulator")).json
        assert told["providers"] == {"anthropic": "claude-*"}
        assert (await put(app, "claude-*", {"faults": ["reset"]})).status == 200
        assert (await call(app, body={"message": "Hello?"})).json["status"] == "error"
        await call(app, "/playground/simulator", method="DELETE")
        assert (await call(app, body={"message": "Hello?"})).json["status"] == "success"


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4",
        "gpt-*",
        "<script>",
        "../requests",
        "claude-opus-5-5/../../requests",
        "a" * 500,
        "%2e%2e",
        "**",
    ],
)
async def test_only_models_of_the_chain_can_be_set(model):
    async with demo() as (app, _):
        reply = await put(app, model, {"faults": []})
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.body) < 600


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"faults": "529"},
        {"faults": ["529"], "more": 1},
        {"faults": [1]},
        {"faults": ["529"] * 9},
        {"faults": ["x" * 121]},
        {"faults": ["credit_balance"]},
        {"faults": ["529;message=<script>alert(1)</script>\x00"]},
        {"faults": ["\u202e529"]},
        {"faults": ["529@2"]},
    ],
)
async def test_only_some_faults_can_be_set(body):
    async with demo() as (app, _):
        reply = await put(app, "claude-opus-5-5", body)
        assert reply.status == 422
        (problem,) = reply.json["errors"]
        assert problem["field"] == "faults" or '{"faults": ["529@0.2"]}' in problem["problem"]
        assert (await get(app, "/playground/simulator")).json["models"] == {}


async def test_a_form_of_another_site_changes_nothing():
    async with demo() as (app, _):
        headers = {"content-type": "text/plain", "origin": "http://localhost:3000"}
        for method, path in BREAKING[2:]:
            reply = await call(app, path, b"{}", method=method, headers=headers)
            assert reply.status == 415


async def test_a_simulator_that_is_gone_is_said_in_words():
    app = create_app(assistant(FakeProvider(("Yes.",)), env="dev"), demo=Demo(simulator=NOBODY))
    reply = await get(app, "/playground/simulator")
    assert reply.status == 502
    assert "Start the demo again" in reply.json["detail"]


@pytest.mark.parametrize(("method", "path"), BREAKING)
async def test_breaking_needs_the_right_to_look(method, path):
    ai = assistant(FakeProvider(("Yes.",)), env="dev", api_keys=(KEY,))
    app = create_app(ai, demo=Demo(simulator=NOBODY))
    assert (await call(app, path, {}, method=method)).status == 401


async def turn(app: Any, body: Any) -> Reply:
    return await call(app, "/playground/redis", body, method="PUT")


async def test_the_redis_is_cut_off_and_comes_back_with_everything_else():
    cuts: list[bool] = []

    async def cut(off: bool) -> None:
        cuts.append(off)

    async with demo(cut) as (app, _):
        assert (await turn(app, {"off": True})).json == {"off": True, "problem": ""}
        assert (await get(app, "/playground/setup")).json["redis"]["off"] is True
        await call(app, "/playground/simulator", method="DELETE")
        assert (await get(app, "/playground/setup")).json["redis"]["off"] is False
    assert cuts == [True, False]


async def test_without_a_redis_it_says_why():
    async with demo(no_redis="Install one.") as (app, _):
        reply = await turn(app, {"off": True})
        assert (reply.status, reply.json["detail"]) == (409, "Install one.")
        told = (await get(app, "/playground/setup")).json["redis"]
        assert told == {"off": False, "problem": "Install one."}
        assert (await call(app, "/playground/simulator", method="DELETE")).status == 200


@pytest.mark.parametrize("body", [{}, [], {"off": 1}, {"off": None}, {"off": True, "more": 1}])
async def test_the_redis_is_off_or_not(body):
    async with demo() as (app, _):
        assert (await turn(app, body)).status == 422


async def test_others_ask_all_at_once():
    async with demo() as (app, simulator):
        reply = await call(app, "/playground/others", {"count": 7})
        assert len(set(reply.json["request_ids"])) == 7
        assert len({each.prompt_sha256 for each in simulator.requests}) == 7


@pytest.mark.parametrize("count", [0, -1, MOST_OTHERS + 1, True, 1.5, "7", None])
async def test_there_is_an_end_to_the_others(count):
    async with demo() as (app, simulator):
        assert (await call(app, "/playground/others", {"count": count})).status == 422
        assert (await call(app, "/playground/others", {"count": 1, "x": 1})).status == 422
        assert simulator.requests == []


# The SDK by itself


async def bare(app: Any, **body: Any) -> Reply:
    return await call(app, "/playground/sdk", {"message": "Hello?"} | body)


async def test_the_sdk_answers_where_nothing_goes_wrong():
    async with demo() as (app, _):
        events = (await bare(app)).events
    assert [events[0]["type"], events[-1]["type"]] == ["start", "end"]
    assert "Hello?" in "".join(event.get("text", "") for event in events)


async def test_what_the_sdk_raises_is_told_as_it_is():
    async with demo(**{"claude-opus-5-5": ["529"]}) as (app, simulator):
        raised = (await bare(app)).events[-1]
    assert raised["type"] == "raised"
    assert raised["error"] == "OverloadedError"
    assert "529" in raised["message"]
    assert len(simulator.requests) == 3  # its own two retries, at the same model
    assert raised["seconds"] > 0.5


@pytest.mark.parametrize(
    "body", [{"message": ""}, {"message": 5}, {"message": "x" * 4001}, {"model": "other"}]
)
async def test_the_sdk_is_given_a_question_and_nothing_else(body):
    async with demo() as (app, simulator):
        assert (await bare(app, **body)).status == 422
        assert simulator.requests == []


async def test_without_the_sdk_it_says_what_to_install(monkeypatch):
    def missing(_: str) -> str:
        raise sdk.PackageNotFoundError

    monkeypatch.setattr(sdk, "version", missing)
    async with demo() as (app, _):
        assert (await get(app, "/playground/setup")).json["sdk"] is None
        reply = await bare(app)
    assert reply.status == 501
    assert "failsoft[anthropic]" in reply.json["detail"]


async def test_who_leaves_the_sdk_ends_its_call():
    async with (
        demo(**{"claude-opus-5-5": ["hang"]}) as (app, simulator),
        listening(app) as port,
        aiohttp.ClientSession() as client,
    ):
        url = f"http://127.0.0.1:{port}/playground/sdk"
        async with client.post(url, json={"message": "Hello?"}) as reply:
            assert (await told_by(reply.content))["type"] == "start"
            await settled(lambda: len(simulator.requests) == 1)
        await settled(lambda: simulator.requests[0].outcome == "client_gone")


async def settled(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 - the simulator has no event for it
            await asyncio.sleep(0.01)
