"""What a healthy simulator answers: real shapes, plain and streamed, and the checks before it."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic import AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from failsoft.chaos.simulator import Simulator
from failsoft.chaos.simulator.messages_wire import MessagesWire
from failsoft.chaos.simulator.simulated_answer import BadCallError, SimulatedCall, compose
from failsoft.chaos.simulator.wire import parse_body

TOOL = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer"},
            "exact": {"type": "boolean"},
            "hours": {"type": "array", "items": {"type": ["number", "null"]}},
            "where": {"type": "object", "properties": {"lat": {"type": "number"}}},
        },
    },
}
HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
BODY = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello you"}]}


async def test_a_stream_adds_up_to_the_plain_answer(ask: Any) -> None:
    plain, streamed = await ask(), await ask(stream=True)
    assert streamed.content[0].text == plain.content[0].text
    assert streamed.usage.output_tokens == plain.usage.output_tokens
    assert streamed.usage.input_tokens == plain.usage.input_tokens > 1
    assert (plain.stop_reason, streamed.stop_reason) == ("end_turn", "end_turn")
    text = plain.content[0].text
    assert text.startswith("You asked: “What is a soft failure?”.")
    assert 30 <= len(text.split()) <= 60


async def test_answers_depend_on_the_seed_and_the_prompt_only(connect: Any) -> None:
    async def text(seed: int, question: str) -> str:
        async with Simulator(seed=seed) as sim, connect(sim) as client:
            message = await client.messages.create(
                model="m", max_tokens=99, messages=[{"role": "user", "content": question}]
            )
            return str(message.content[0].model_dump()["text"])

    assert await text(1, "Why?") == await text(1, "Why?")
    assert await text(1, "Why?") != await text(2, "Why?")
    assert await text(1, "Why?") != await text(1, "How?")


@pytest.mark.parametrize("stream", [False, True])
async def test_max_tokens_is_kept_to(ask: Any, stream: bool) -> None:
    message = await ask(max_tokens=5, stream=stream)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5
    assert len(message.content[0].text.split()) == 5


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
async def test_a_forced_tool_is_used(ask: Any, stream: bool, choice: dict[str, str]) -> None:
    message = await ask("Oslo", tools=[TOOL], tool_choice=choice, stream=stream)
    assert message.stop_reason == "tool_use"
    block = message.content[0]
    assert (block.type, block.name) == ("tool_use", "get_weather")
    assert block.input == {
        "city": "Oslo",
        "unit": "celsius",
        "days": 1,
        "exact": True,
        "hours": [1],
        "where": {"lat": 1},
    }


async def test_a_tool_that_is_not_forced_is_not_used(ask: Any) -> None:
    assert (await ask(tools=[TOOL])).content[0].type == "text"


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_that_the_question_names_are_used_and_their_results_answered(
    ask: Any, stream: bool
) -> None:
    question, tools = "Use get_weather and get_time.", [TOOL, {**TOOL, "name": "get_time"}]
    message = await ask(question, tools=tools, stream=stream)
    assert [block.name for block in message.content] == ["get_weather", "get_time"]
    assert len({block.id for block in message.content}) == 2
    single = {"type": "auto", "disable_parallel_tool_use": True}
    assert len((await ask(question, tools=tools, tool_choice=single)).content) == 1
    [text] = (await ask(question, tools=tools, tool_choice={"type": "none"})).content
    assert text.type == "text"
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "get_weather: 12 degrees"}
        for block in message.content
    ]
    turns = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]
    [text] = (await ask(messages=turns, tools=tools, stream=stream)).content
    assert text.text.startswith("You asked: “get_weather: 12 degrees")


class Weather(BaseModel):
    city: str
    days: list[int]


async def test_an_answer_fits_the_schema_that_was_asked_for(
    client: AsyncAnthropic, ask: Any
) -> None:
    messages: Any = [{"role": "user", "content": "Oslo"}]
    parsed = await client.messages.parse(
        model="m", max_tokens=99, messages=messages, output_format=Weather
    )
    assert parsed.parsed_output == Weather(city="Oslo", days=[1])
    async with client.messages.stream(
        model="m", max_tokens=99, messages=messages, output_format=Weather
    ) as events:
        streamed = await events.get_final_message()
    assert streamed.parsed_output == parsed.parsed_output
    wanted = {"type": "json_schema", "schema": {"enum": [7]}}
    for body in ({"output_format": wanted}, {"output_config": {"format": wanted}}):
        assert (await ask(extra_body=body)).content[0].text == "7"


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_comes_first_and_is_signed(ask: Any, stream: bool) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = await ask(thinking=thinking, stream=stream, max_tokens=2000)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking.endswith("will do.")
    assert message.content[0].signature
    assert message.stop_reason == "end_turn"


async def test_the_events_come_in_the_apis_order(client: AsyncAnthropic) -> None:
    body: Any = {**BODY, "max_tokens": 3, "thinking": {"type": "adaptive"}}
    events = await client.messages.create(stream=True, **body)
    seen = [event.type async for event in events]
    assert seen[:2] == ["message_start", "content_block_start"]
    assert seen[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert seen.count("content_block_start") == seen.count("content_block_stop") == 2


async def test_the_bytes_of_a_stream(sim: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        reply = await session.post(
            f"{sim.url}/v1/messages",
            json={**BODY, "max_tokens": 2, "stream": True},
            headers=HEADERS,
        )
        frames = (await reply.text()).split("\n\n")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["request-id"] == sim.requests[0].request_id
    assert [frame.split("\n")[0].removeprefix("event: ") for frame in frames] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "",
    ]
    assert frames[2] == 'event: ping\ndata: {"type":"ping"}'
    assert frames[3] == (
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"You "}}'
    )
    assert frames[6].startswith(
        'event: message_delta\ndata: {"type":"message_delta","delta":'
        '{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":'
    )


async def test_latency_is_waited_out_before_and_between_contents(
    sim: Simulator, clock: Any, ask: Any
) -> None:
    sim.set("*", faults=["latency;first_content_ms=800;between_events_ms=50"])
    await ask(stream=True, max_tokens=4)
    assert clock.slept == [0.8, *[pytest.approx(0.05)] * 3]
    clock.slept.clear()
    await ask(max_tokens=4)
    assert clock.slept == [0.8, pytest.approx(0.15)]
    assert sim.requests[1].first_byte_s == pytest.approx(sim.requests[1].arrived_s + 0.95)


async def test_waits_that_end_late_do_not_add_up(sim: Simulator, clock: Any, ask: Any) -> None:
    async def late(seconds: float) -> None:
        clock.moment += seconds + 0.02

    clock._sleep = late
    sim.set("*", faults=["latency;between_events_ms=50"])
    await ask(stream=True, max_tokens=21)
    [request] = sim.requests
    assert request.ended_s == pytest.approx(request.arrived_s + 20 * 0.05 + 0.02)


async def test_latency_slows_down_an_error_too(sim: Simulator, clock: Any, ask: Any) -> None:
    sim.set("*", faults=["529", "latency;first_content_ms=800"])
    with pytest.raises(anthropic.OverloadedError):
        await ask()
    assert clock.slept == [0.8]


async def test_a_drawn_latency_repeats_with_the_seed(clock: Any, connect: Any) -> None:
    faults = ["*=latency;first_content_ms=uniform(1,900)"]
    waits = []
    for seed in (3, 3, 4):
        clock.slept.clear()
        async with Simulator(seed=seed, clock=clock, faults=faults) as sim, connect(sim) as client:
            for _ in range(3):
                await client.messages.create(**BODY)
        waits.append(list(clock.slept))
    assert len(set(waits[0])) == 3
    assert waits[0] == waits[1] != waits[2]


async def test_tokens_are_counted_as_an_answer_reports_them(
    sim: Simulator, client: AsyncAnthropic, ask: Any
) -> None:
    sim.set("*", faults=["529"])
    counted = await client.messages.count_tokens(
        model="claude-opus-5-5",
        system="Be brief.",
        messages=[{"role": "user", "content": "What is a soft failure?"}],
    )
    sim.set("*", faults=[])
    assert (await ask(system="Be brief.")).usage.input_tokens == counted.input_tokens


async def test_models_are_listed_with_those_that_have_faults(
    sim: Simulator, client: AsyncAnthropic
) -> None:
    sim.set("my-model", faults=[])
    sim.set("*", faults=[])
    listed = [model.id async for model in client.models.list()]
    assert listed == ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "my-model"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is ("}],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image"}]}],
        [{"role": "user", "content": []}],
    ],
)
async def test_what_the_simulator_does_not_know_is_welcome(
    sim: Simulator, messages: list[Any]
) -> None:
    async with aiohttp.ClientSession(headers={**HEADERS, "anthropic-beta": "x-2026"}) as session:
        body = {**BODY, "messages": messages, "future_field": {"a": 1}}
        reply = await session.post(f"{sim.url}/v1/messages?beta=true", json=body)
        assert (reply.status, (await reply.json())["type"]) == (200, "message")


@pytest.mark.parametrize(
    ("headers", "raw", "status", "type_", "message"),
    [
        ({"x-api-key": ""}, None, 401, "authentication_error", "x-api-key header is required"),
        ({"x-api-key": "", "authorization": "Basic abc"}, None, 401, "authentication_error",
         "x-api-key header is required"),
        ({"anthropic-version": ""}, None, 400, "invalid_request_error",
         "anthropic-version: header is required"),
        ({}, b"{", 400, "invalid_request_error", "The request body is not valid JSON"),
        ({}, b"\xff", 400, "invalid_request_error", "The request body is not valid JSON"),
        ({}, b"[" * 100_000, 400, "invalid_request_error", "The request body is not valid JSON"),
        ({}, b'{"model":"\\ud800"}', 400, "invalid_request_error",
         "The request body is not valid JSON"),
        ({}, b"[]", 400, "invalid_request_error", "Input should be a valid dictionary"),
        ({}, b"{}", 400, "invalid_request_error", "model: Field required"),
        ({}, b'{"model":3}', 400, "invalid_request_error", "model: Input should be a valid string"),
        ({}, b'{"model":"m"}', 400, "invalid_request_error", "max_tokens: Field required"),
        ({}, b'{"model":"m","max_tokens":true}', 400, "invalid_request_error",
         "max_tokens: Input should be a valid integer"),
        ({}, b'{"model":"m","max_tokens":0}', 400, "invalid_request_error",
         "max_tokens: Input should be greater than or equal to 1"),
        ({}, b'{"model":"m","max_tokens":1}', 400, "invalid_request_error",
         "messages: Field required"),
        ({}, b'{"model":"m","max_tokens":1,"messages":[]}', 400, "invalid_request_error",
         "messages: at least one message is required"),
        ({}, b'{"model":"m","max_tokens":1,"messages":["hi"]}', 400, "invalid_request_error",
         "messages.0: Input should be a valid dictionary"),
        ({}, b'{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}', 400,
         "invalid_request_error", "messages.0.content: Field required"),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_told_what_the_api_would_tell(
    sim: Simulator,
    *,
    headers: dict[str, str],
    raw: bytes | None,
    status: int,
    type_: str,
    message: str,
) -> None:
    async with aiohttp.ClientSession(headers={**HEADERS, **headers}) as session:
        body: Any = {"json": BODY} if raw is None else {"data": raw}
        reply = await session.post(f"{sim.url}/v1/messages", **body)
        told = await reply.json()
    assert reply.status == status
    assert told == {
        "type": "error",
        "error": {"type": type_, "message": message},
        "request_id": reply.headers["request-id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "type_"),
    [
        ("GET", "/v1/nothing", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
    ],
)
async def test_other_routes_fail_in_the_apis_shape(
    sim: Simulator, method: str, path: str, status: int, type_: str
) -> None:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        reply = await session.request(method, sim.url + path)
        assert reply.status == status
        assert (await reply.json())["error"]["type"] == type_


async def test_a_body_over_32_megabytes_is_too_large(sim: Simulator) -> None:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        body = io.BytesIO(b" " * (32 * 1024 * 1024 + 1))
        reply = await session.post(f"{sim.url}/v1/messages", data=body)
        assert reply.status == 413
        assert (await reply.json())["error"]["type"] == "request_too_large"


async def test_a_bearer_token_is_a_key(sim: Simulator) -> None:
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    async with aiohttp.ClientSession(headers=headers) as session:
        assert (await session.post(f"{sim.url}/v1/messages", json=BODY)).status == 200


WIRE = MessagesWire()


def read(body: Any) -> SimulatedCall:
    return WIRE.parse_call(parse_body(json.dumps(body).encode(), WIRE))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = st.recursive(
    JSON,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "number", ["null"], 3]),
            "properties": st.dictionaries(st.text(), inner, max_size=2) | JSON,
            "items": inner,
            "enum": JSON,
        },
    ),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {
        "model": st.text(),
        "max_tokens": st.integers(1, 60),
        "messages": st.lists(st.fixed_dictionaries({"content": JSON}), min_size=1, max_size=2),
    },
    optional={
        "system": JSON,
        "stream": JSON,
        "thinking": JSON | st.just({"type": "enabled"}),
        "output_format": st.builds(lambda s: {"type": "json_schema", "schema": s}, SCHEMAS),
        "tools": JSON | st.lists(st.fixed_dictionaries({"name": JSON, "input_schema": SCHEMAS})),
        "tool_choice": JSON | st.just({"type": "any"}),
    },
)


@given(BODIES)
def test_any_body_is_answered_and_its_events_add_up(body: dict[str, Any]) -> None:
    answer = compose(read(body), seed=0)
    whole = json.loads(WIRE.message_body(answer))
    events = [json.loads(frame.data.split(b"\ndata: ")[1]) for frame in WIRE.frames(answer)]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    text = "".join(delta.get("text", "") for delta in deltas)
    tool = "".join(delta.get("partial_json", "") for delta in deltas)
    last = whole["content"][-1]
    assert last.get("text", "") == text
    assert (last["type"] == "tool_use") == bool(tool)
    assert not tool or json.dumps(json.loads(tool)) == json.dumps(last["input"])


@given(JSON)
def test_any_other_json_is_a_bad_call_or_a_call(value: Any) -> None:
    for body in (value, {"model": value, "max_tokens": value, "messages": value}):
        with contextlib.suppress(BadCallError):
            assert read(body).model == body["model"]
