"""What a healthy simulator answers in Chat Completions, and the checks before it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import aiohttp
import openai as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from failsoft.chaos.simulator import Simulator
from failsoft.chaos.simulator.chat_wire import ChatWire
from failsoft.chaos.simulator.simulated_answer import BadCallError, SimulatedCall, compose
from failsoft.chaos.simulator.wire import parse_body

HEADERS = {"authorization": "Bearer k"}
ASKED = {"role": "user", "content": "Hello you"}
BODY: dict[str, Any] = {"model": "gpt-5.5", "messages": [ASKED]}
PATH = "/v1/chat/completions"


def function(name: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    }
    # Strict, or the SDK's stream helper refuses to read the arguments.
    return {
        "type": "function",
        "function": {"name": name, "strict": True, "parameters": parameters},
    }


WEATHER, CLOCK = function("get_weather"), function("get_time")
FORCED = {"type": "function", "function": {"name": "get_weather"}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": "{}"},
}


@pytest.fixture
async def http(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sim.url, headers=HEADERS) as session:
        yield session


async def test_a_stream_adds_up_to_the_plain_answer(chat: Any) -> None:
    plain, streamed = await chat(), await chat(stream=True)
    assert streamed.choices[0].message.content == plain.choices[0].message.content
    assert plain.choices[0].message.content.startswith("You asked: “What is a soft failure?”.")
    assert plain.choices[0].finish_reason == streamed.choices[0].finish_reason == "stop"
    assert (plain.id, plain.model, plain.created) == (streamed.id, "gpt-5.5", streamed.created)
    assert plain.usage.total_tokens == plain.usage.prompt_tokens + plain.usage.completion_tokens
    assert streamed.usage is None


async def test_the_usage_comes_in_a_chunk_of_its_own_only_if_asked_for(
    chat: Any, openai: sdk.AsyncOpenAI
) -> None:
    options: Any = {"include_usage": True}
    plain = await chat("Hello you")
    assert (await chat("Hello you", stream=True, stream_options=options)).usage == plain.usage
    events = await openai.chat.completions.create(stream=True, stream_options=options, **BODY)
    *chunks, last = [chunk async for chunk in events]
    assert last.choices == []
    assert {chunk.usage for chunk in chunks} == {None}


async def test_the_bytes_of_a_stream(sim: Simulator, http: aiohttp.ClientSession) -> None:
    reply = await http.post(PATH, json={**BODY, "max_tokens": 2, "stream": True})
    frames = (await reply.text()).split("\n\n")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-request-id"] == sim.requests[0].request_id
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "You "},
        {"content": "asked: "},
        {},
    ]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None, None, None, "length"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["created"] for chunk in chunks} == {1_790_000_000}
    assert "usage" not in chunks[0]
    assert sim.requests[0].contents == 2


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_the_limit_is_kept_to_by_either_name(chat: Any, limit: str) -> None:
    completion = await chat(**{limit: 5})
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5
    with pytest.raises(sdk.LengthFinishReasonError):
        await chat(stream=True, **{limit: 5})


@pytest.mark.parametrize("stream", [False, True])
async def test_more_choices_are_each_whole(chat: Any, stream: bool) -> None:
    one = await chat()
    completion = await chat(n=3, stream=stream)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    texts = {choice.message.content for choice in completion.choices}
    assert texts == {one.choices[0].message.content}
    if not stream:
        assert completion.usage.completion_tokens == 3 * one.usage.completion_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice",
    [
        "required",
        FORCED,
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [WEATHER]}},
    ],
)
async def test_a_forced_tool_is_used(chat: Any, stream: bool, choice: Any) -> None:
    completion = await chat("Oslo", tools=[WEATHER, CLOCK], tool_choice=choice, stream=stream)
    [answer] = completion.choices
    assert (answer.finish_reason, answer.message.content) == ("tool_calls", None)
    [call] = answer.message.tool_calls
    assert (call.type, call.function.name, call.id[:5]) == ("function", "get_weather", "call_")
    assert json.loads(call.function.arguments) == {"city": "Oslo", "unit": "celsius"}


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_that_the_question_names_are_used_together(chat: Any, stream: bool) -> None:
    question, tools = "First get_weather, then get_time.", [CLOCK, WEATHER, function("get")]
    [answer] = (await chat(question, tools=tools, stream=stream)).choices
    names = [call.function.name for call in answer.message.tool_calls]
    assert names == ["get_time", "get_weather"]
    assert len({call.id for call in answer.message.tool_calls}) == 2
    one = await chat(question, tools=tools, parallel_tool_calls=False, stream=stream)
    assert len(one.choices[0].message.tool_calls) == 1
    none = await chat(question, tools=tools, tool_choice="none", stream=stream)
    assert none.choices[0].message.tool_calls is None


async def test_the_results_of_tools_are_answered_with_text(openai: sdk.AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "get_weather and get_time in Oslo"}]
    tools: list[Any] = [WEATHER, CLOCK]
    ask: Any = {"model": "gpt-5.5", "tools": tools}
    first = await openai.chat.completions.create(messages=messages, **ask)
    used = first.choices[0].message
    assert used.tool_calls is not None
    messages.append(used.model_dump(exclude_none=True))
    for call in used.tool_calls:
        result = f"get_weather said 12 degrees, in {call.id}"
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    second = await openai.chat.completions.create(messages=messages, **ask)
    assert second.choices[0].finish_reason == "stop"
    assert "You asked: “get_weather said 12 degrees" in str(second.choices[0].message.content)


async def test_a_reasoning_model_thinks_first(chat: Any) -> None:
    [choice] = (await chat(reasoning_effort="low")).choices
    assert choice.message.model_extra["reasoning_content"].endswith("will do.")
    assert choice.message.content.startswith("You asked: ")
    [streamed] = (await chat(reasoning_effort="low", stream=True)).choices
    assert streamed.message.content == choice.message.content
    usage = (await chat(reasoning_effort="low")).usage
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens


class Weather(BaseModel):
    city: str
    unit: Literal["celsius", "kelvin"]
    days: list[int]
    nearby: list[Weather]


async def test_the_sdks_parse_gets_what_it_asked_for(openai: sdk.AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Oslo"}]
    completion = await openai.chat.completions.parse(
        model="gpt-5.5", messages=messages, response_format=Weather
    )
    expected = Weather(
        city="Oslo", unit="celsius", days=[1],
        nearby=[Weather(city="Oslo", unit="celsius", days=[1], nearby=[])],
    )  # fmt: skip
    assert completion.choices[0].message.parsed == expected
    async with openai.chat.completions.stream(
        model="gpt-5.5", messages=messages, response_format=Weather
    ) as events:
        kinds = [event.type async for event in events]
        assert (await events.get_final_completion()).choices[0].message.parsed == expected
    assert kinds.count("content.delta") > 3
    tool = sdk.pydantic_function_tool(Weather)
    used = await openai.chat.completions.parse(
        model="gpt-5.5", messages=messages, tools=[tool], tool_choice="required"
    )
    calls = used.choices[0].message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [expected]


async def test_json_is_cut_like_any_answer_and_refused_like_any(
    sim: Simulator, openai: sdk.AsyncOpenAI
) -> None:
    ask: Any = {"model": "gpt-5.5", "messages": [ASKED], "response_format": Weather}
    with pytest.raises(sdk.LengthFinishReasonError):
        await openai.chat.completions.parse(max_completion_tokens=1, **ask)
    sim.set("*", faults=["refusal"])
    message = (await openai.chat.completions.parse(**ask)).choices[0].message
    assert (message.parsed, message.refusal) == (None, "I'm sorry, but I can't help with that.")


async def test_json_without_a_schema_is_an_object(chat: Any) -> None:
    [choice] = (await chat("json, please", response_format={"type": "json_object"})).choices
    assert json.loads(choice.message.content) == {"answer": "json, please"}
    [choice] = (await chat(response_format={"type": "text"})).choices
    assert choice.message.content.startswith("You asked")


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/mine/chat/completions?api-version=2026-10-21",
        "/api/v1/chat/completions",
    ],
)
async def test_other_services_have_it_elsewhere(
    sim: Simulator, http: aiohttp.ClientSession, path: str
) -> None:
    sim.set("gpt-*", faults=["503"])
    assert (await http.post(path, json=BODY)).status == 503
    assert (await http.post(path, json={**BODY, "model": "llama-4"})).status == 200
    assert sim.requests[0].path == path.partition("?")[0]


async def test_azures_client_brings_its_key_its_own_way(sim: Simulator) -> None:
    async with sdk.AsyncAzureOpenAI(
        azure_endpoint=sim.url, api_key="k", api_version="2026-10-21", max_retries=0
    ) as client:
        completion = await client.chat.completions.create(**BODY)
    assert completion.choices[0].finish_reason == "stop"


async def test_models_are_listed_in_the_dialect_of_the_asker(
    sim: Simulator, openai: sdk.AsyncOpenAI, client: Any
) -> None:
    for name in ("my-model", "gpt-*", "*"):
        sim.set(name, faults=[])
    listed = [model.id async for model in openai.models.list()]
    assert listed == ["gpt-5.5", "gpt-5.5-mini", "llama-4-maverick", "my-model"]
    assert [model.id async for model in client.models.list()][-1] == "my-model"


INVALID = "invalid_request_error"
MISSING = "missing_required_parameter"
TOOLED: dict[str, Any] = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"}


@pytest.mark.parametrize(
    ("change", "message", "param", "code"),
    [
        ({"model": None}, "you must provide a model parameter", None, None),
        ({"model": 3}, "Invalid type for 'model': expected a string, but got an integer instead.",
         "model", "invalid_type"),
        ({"messages": None}, "Missing required parameter: 'messages'.", "messages", MISSING),
        ({"messages": []}, "Invalid 'messages': empty array.", "messages", "empty_array"),
        ({"messages": "hi"}, "Invalid type for 'messages': expected an array, but got a string",
         "messages", "invalid_type"),
        ({"messages": ["hi"]}, "Invalid type for 'messages[0]': expected an object",
         "messages[0]", "invalid_type"),
        ({"messages": [{"content": "hi"}]}, "Missing required parameter: 'messages[0].role'.",
         "messages[0].role", MISSING),
        ({"messages": [{"role": "bot", "content": "hi"}]},
         "Invalid value: 'bot'. Supported values are: 'system', 'assistant', 'user', ",
         "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "expected a string, got null",
         "messages.[0].content", None),
        ({"messages": [{"role": "assistant", "content": None}]}, "expected a string, got null",
         "messages.[0].content", None),
        ({"messages": [{"role": "user", "content": 3}]}, "expected an array, but got an integer",
         "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
         "Missing required parameter: 'messages[0].content[0].type'.",
         "messages[0].content[0].type", MISSING),
        ({"messages": [ASKED, {**TOOLED, "tool_calls": []}]}, "expected a string, got null",
         "messages.[1].content", None),
        ({"messages": [ASKED, {**TOOLED, "content": "x", "tool_calls": []}]},
         "Invalid 'messages[1].tool_calls': empty array.", "messages[1].tool_calls",
         "empty_array"),
        ({"messages": [ASKED, TOOLED, ASKED]}, "did not have response messages: call_1",
         "messages.[2].role", None),
        ({"messages": [ASKED, TOOLED]}, "did not have response messages: call_1",
         "messages.[2].role", None),
        ({"messages": [ASKED, RESULT]}, "must be a response to a preceeding message",
         "messages.[1].role", None),
        ({"messages": [ASKED, TOOLED, RESULT, RESULT]},
         "must be a response to a preceeding message", "messages.[3].role", None),
        ({"messages": [ASKED, TOOLED, {"role": "tool", "content": "x"}]},
         "must have a 'tool_call_id'", "messages.[2].tool_call_id", None),
        ({"max_tokens": 0},
         "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 in",
         "max_tokens", "integer_below_min_value"),
        ({"max_tokens": True}, "expected an integer, but got a boolean", "max_tokens",
         "invalid_type"),
        ({"max_tokens": 9, "max_completion_tokens": 9}, "at the same time is not supported",
         "max_tokens", "invalid_parameter_combination"),
        ({"n": 129}, "Expected a value <= 128, but got 129", "n", "integer_above_max_value"),
        ({"temperature": 2.5}, "Expected a value <= 2, but got 2.5", "temperature",
         "decimal_above_max_value"),
        ({"temperature": "hot"}, "expected a decimal, but got a string", "temperature",
         "invalid_type"),
        ({"stream": "yes"}, "expected a boolean, but got a string", "stream", "invalid_type"),
        ({"stream_options": {}}, "only allowed when 'stream' is enabled", "stream_options", None),
        ({"tool_choice": "auto"}, "only allowed when 'tools' are specified", "tool_choice", None),
        ({"parallel_tool_calls": False}, "only allowed when 'tools' are specified",
         "parallel_tool_calls", None),
        ({"tools": []}, "Invalid 'tools': empty array", "tools", "empty_array"),
        ({"tools": [{"function": {}}]}, "'tools[0].type'", "tools[0].type", MISSING),
        ({"tools": [{"type": "function", "function": {}}]}, "'tools[0].function.name'",
         "tools[0].function.name", MISSING),
        ({"tools": [function("get weather")]}, "does not match pattern",
         "tools[0].function.name", "invalid_value"),
        ({"tools": [CLOCK], "tool_choice": FORCED},
         "Tool choice 'get_weather' not found in 'tools' parameter.", "tool_choice", None),
        ({"tools": [CLOCK], "tool_choice": "any"}, "Invalid value: 'any'", "tool_choice",
         "invalid_value"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'",
         "messages", None),
        ({"response_format": {"type": "xml"}}, "Invalid value: 'xml'", "response_format.type",
         "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "'response_format.json_schema'",
         "response_format.json_schema", MISSING),
        ({"response_format": {"type": "json_schema", "json_schema": {}}},
         "'response_format.json_schema.name'", "response_format.json_schema.name", MISSING),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_refused_as_the_api_would(
    http: aiohttp.ClientSession, *, change: Any, message: str, param: str, code: str
) -> None:
    reply = await http.post(PATH, json={**BODY, **change})
    error = (await reply.json())["error"]
    assert reply.status == 400
    assert (error["type"], error["param"], error["code"]) == (INVALID, param, code)
    assert message in error["message"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"x-api-key": "k"}])
@pytest.mark.parametrize("path", [PATH, "/v1/models"])
async def test_a_request_without_a_key_is_refused(
    sim: Simulator, headers: dict[str, str], path: str
) -> None:
    async with aiohttp.ClientSession(sim.url, headers=headers) as session:
        send = session.post(path, json=BODY) if path == PATH else session.get(path)
        reply = await send
        error = (await reply.json())["error"]
    assert reply.status == 401
    assert error["message"].startswith("You didn't provide an API key.")
    assert (error["type"], error["param"], error["code"]) == (INVALID, None, None)


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("POST", PATH, b"{", 400),
        ("POST", PATH, b"[]", 400),
        ("GET", PATH, None, 405),
        ("POST", "/v1/responses", b"{}", 404),
    ],
)
async def test_other_mistakes_have_the_apis_shape(
    http: aiohttp.ClientSession, *, method: str, path: str, data: bytes | None, status: int
) -> None:
    reply = await http.request(method, path, data=data)
    assert reply.status == status
    assert set((await reply.json())["error"]) == {"message", "type", "param", "code"}
    assert "x-request-id" in reply.headers


@pytest.mark.parametrize(
    "messages",
    [
        [
            {"role": "developer", "content": "Be brief."},
            ASKED,
            {"role": "assistant", "content": "("},
        ],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url"}]}],
        [{"role": "function", "name": "f", "content": "Hi"}],
        [ASKED, TOOLED, RESULT],
        [ASKED, {**TOOLED, "content": "Well"}, RESULT, ASKED],
        [ASKED, {"role": "assistant", "refusal": "No."}, ASKED],
    ],
)
async def test_what_the_api_takes_is_welcome(
    http: aiohttp.ClientSession, messages: list[Any]
) -> None:
    nothing = {"stop": None, "n": None, "tools": None, "stream": None, "future_field": {"a": 1}}
    reply = await http.post(PATH, json={**BODY, **nothing, "messages": messages})
    assert reply.status == 200, await reply.text()


WIRE = ChatWire()


def read(body: Any) -> SimulatedCall:
    return WIRE.parse_call(parse_body(json.dumps(body).encode(), WIRE))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
CONTENT = st.text() | st.lists(
    st.fixed_dictionaries({"type": st.text()}, optional={"text": JSON}), min_size=1, max_size=2
)
SCHEMAS = st.fixed_dictionaries(
    {}, optional={"type": JSON | st.just("object"), "properties": JSON, "items": JSON}
)
TOOLS = st.lists(
    st.builds(
        lambda name, schema: {
            "type": "function", "function": {"name": name, "parameters": schema}
        },
        st.sampled_from(["a", "b-c", "d_e"]), SCHEMAS,
    ), min_size=1, max_size=3,
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {
        "model": st.text(min_size=1),
        "messages": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(["user", "system", "assistant"]), "content": CONTENT}
            ),
            min_size=1,
            max_size=2,
        ),
    },
    optional={
        "max_tokens": st.integers(1, 60),
        "n": st.integers(1, 3),
        "stream": st.booleans(),
        "reasoning_effort": st.sampled_from(["none", "high"]),
        "tools": TOOLS,
        "response_format": st.builds(
            lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
            SCHEMAS,
        ),
    },
)


@given(BODIES, st.booleans())
def test_any_body_is_answered_and_its_chunks_add_up(body: dict[str, Any], forced: bool) -> None:
    if forced and "tools" in body:
        body["tool_choice"] = "required"
    answer = compose(read(body), seed=0)
    whole = json.loads(WIRE.message_body(answer))
    *events, done = [frame.data for frame in WIRE.frames(answer)]
    assert done == b"data: [DONE]\n\n"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    for choice in whole["choices"]:
        mine = [c for chunk in chunks for c in chunk["choices"] if c["index"] == choice["index"]]
        deltas = [each["delta"] for each in mine]
        message = choice["message"]
        text = "".join(delta.get("content") or "" for delta in deltas)
        assert text == (message["content"] or "")
        calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
        arguments = "".join(call["function"]["arguments"] for call in calls)
        told = message.get("tool_calls", [])
        assert arguments == "".join(call["function"]["arguments"] for call in told)
        assert [each["finish_reason"] for each in mine if each["finish_reason"]] == [
            choice["finish_reason"]
        ]


FIELDS = (
    *("model", "messages", "max_tokens", "n", "stream", "stream_options", "tools", "tool_choice"),
    *("parallel_tool_calls", "response_format", "reasoning_effort", "temperature"),
)


@given(JSON, st.sampled_from(FIELDS), JSON)
def test_any_other_json_is_a_bad_call_or_a_call(value: Any, field: str, other: Any) -> None:
    inside = {"type": "function", "function": value, "json_schema": value, "role": "assistant"}
    tooled = {**BODY, "tools": [WEATHER], "stream": True}
    for body in (
        value,
        {**BODY, field: other},
        {**tooled, field: inside},
        {**tooled, field: [{**inside, "content": other, "tool_calls": value}]},
        {
            **tooled,
            field: {"type": "allowed_tools", "allowed_tools": {"mode": value, "tools": [other]}},
        },
    ):
        with contextlib.suppress(BadCallError):
            assert read(body).model == body["model"]
