"""Every form of a call of the openai SDK goes through the engine, and gives what the SDK gives."""

import json

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel
from wrap_kit import openai_client, wrapped

import failsoft
from failsoft import answer_of

GPT, MINI = "gpt-5.5", "gpt-5.5-mini"
QUESTION = {"model": GPT, "messages": [{"role": "user", "content": "What is escrow?"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_rate",
        "description": "The rate of a loan.",
        "parameters": {"type": "object", "properties": {"years": {"type": "integer"}}},
    },
}
STREAMS = (openai.Stream, openai.AsyncStream)

pytestmark = pytest.mark.parametrize("kind", ["async", "sync"])


class Rate(BaseModel):
    years: int


def failing(kind, *faults, **more):
    """The first model is overloaded, and there is another one."""
    faults = faults or (f"{GPT}=529",)
    return wrapped(kind, *faults, make=openai_client, chain=[MINI], **more)


def went_on(use):
    return use.models == [GPT, MINI]


async def test_create(kind):
    async with failing(kind) as use:
        said = await use.do(lambda client: client.chat.completions.create(**QUESTION))
        assert type(said) is ChatCompletion
        assert (said.model, said.choices[0].finish_reason) == (MINI, "stop")
        assert said.choices[0].message.content
        assert went_on(use)


async def test_a_healthy_model_is_asked_as_the_sdk_asks_it(kind):
    async with wrapped(kind, make=openai_client) as use:
        said = await use.do(lambda client: client.chat.completions.create(**QUESTION, seed=3))
        assert said.choices[0].message.content
        [request] = use.sent
        assert json.loads(request.content) == {**QUESTION, "seed": 3}
        assert request.headers["x-stainless-retry-count"] == "0"


async def test_create_as_a_stream(kind):
    async with failing(kind) as use:
        stream = await use.do(
            lambda client: client.chat.completions.create(
                **QUESTION, stream=True, stream_options={"include_usage": True}
            )
        )
        assert isinstance(stream, STREAMS)
        chunks = await use.each(stream)
        assert chunks[0].model == MINI
        assert chunks[-1].usage.completion_tokens > 0
        assert stream.response.elapsed.total_seconds() > 0
        assert went_on(use)


async def test_the_chunks_are_those_that_the_service_sent(kind):
    async with wrapped(kind, make=openai_client) as use:
        bare = openai_client(kind, use.simulator.url)

        async def chunks():
            stream = await use.do(lambda c: c.chat.completions.create(**QUESTION, stream=True))
            skipped = {"id", "created"}
            return [one.model_dump(exclude=skipped) for one in await use.each(stream)]

        wrapped_chunks = await chunks()
        use.client = bare
        assert wrapped_chunks == await chunks()
        await use.do(lambda client: client.close())


async def test_stream(kind):
    async with failing(kind) as use:

        async def read(stream):
            events = [event async for event in stream]
            return events, await stream.get_final_completion()

        def read_blocking(stream):
            return list(stream), stream.get_final_completion()

        events, said = await use.within(
            use.client.chat.completions.stream(**QUESTION), read if use.is_async else read_blocking
        )
        text = "".join(event.delta for event in events if event.type == "content.delta")
        assert text
        assert text == said.choices[0].message.content
        assert went_on(use)


async def test_parse(kind):
    async with failing(kind) as use:
        said = await use.do(
            lambda client: client.chat.completions.parse(**QUESTION, response_format=Rate)
        )
        assert isinstance(said.choices[0].message.parsed, Rate)
        assert went_on(use)


async def test_a_raw_response(kind):
    async with failing(kind) as use:
        raw = await use.do(
            lambda client: client.chat.completions.with_raw_response.create(**QUESTION)
        )
        assert raw.parse().model == MINI
        assert isinstance(raw.http_response, httpx2.Response)
        assert raw.retries_taken == 0
        assert answer_of(raw).model == MINI
        assert went_on(use)


async def test_a_raw_response_of_a_stream(kind):
    async with failing(kind) as use:
        raw = await use.do(
            lambda client: client.chat.completions.with_raw_response.create(**QUESTION, stream=True)
        )
        assert (await use.each(raw.parse()))[0].model == MINI
        assert answer_of(raw).model == MINI
        assert went_on(use)


async def test_a_streaming_response(kind):
    async with failing(kind) as use:

        async def read(response):
            return [line async for line in response.iter_lines()], response

        def read_blocking(response):
            return list(response.iter_lines()), response

        for more in ({}, {"stream": True}):
            manager = use.client.chat.completions.with_streaming_response.create(**QUESTION, **more)
            lines, response = await use.within(manager, read if use.is_async else read_blocking)
            assert MINI in lines[0]
            assert answer_of(response).model == MINI
        assert "data: [DONE]" in lines


async def test_tool_calls(kind):
    async with failing(kind) as use:
        asked = {**QUESTION, "tools": [TOOL], "tool_choice": "required"}
        said = await use.do(lambda client: client.chat.completions.create(**asked))
        [call] = said.choices[0].message.tool_calls
        assert call.function.name == "get_rate"
        stream = await use.do(lambda client: client.chat.completions.create(**asked, stream=True))
        deltas = [one.choices[0].delta for one in await use.each(stream) if one.choices]
        assert any(delta.tool_calls for delta in deltas)
        assert use.models[:2] == [GPT, MINI]


async def test_extra_fields_and_headers_go_along_to_the_next_model(kind):
    async with failing(kind) as use:
        await use.do(
            lambda client: client.chat.completions.create(
                **QUESTION, extra_body={"min_p": 0.1}, extra_headers={"x-team": "loans"}
            )
        )
        first, second = use.sent
        assert json.loads(second.content) == {**json.loads(first.content), "model": MINI}
        assert json.loads(second.content)["min_p"] == 0.1
        assert second.headers["x-team"] == "loans"
        assert second.headers["authorization"] == first.headers["authorization"]
        assert second.headers["x-stainless-retry-count"] == "1"


async def test_copies_are_wrapped_too(kind):
    async with failing(kind) as use:
        use.client = use.client.with_options(timeout=20).copy(max_retries=1)
        assert type(use.client) is (openai.AsyncOpenAI if kind == "async" else openai.OpenAI)
        await use.do(lambda client: client.chat.completions.create(**QUESTION))
        assert went_on(use)


async def test_a_copy_with_connections_of_its_own_is_wrapped_too(kind):
    async with failing(kind) as use:
        other = openai_client(kind, use.simulator.url, sent := [])
        use.client = use.client.with_options(http_client=other._client)
        await use.do(lambda client: client.chat.completions.create(**QUESTION))
        assert went_on(use)
        assert (len(sent), len(use.sent)) == (2, 0)
        await use.do(lambda client: client.close())
        assert use.client.is_closed()
        assert other.is_closed()


async def test_all_else_is_left_to_the_sdk(kind):
    async with wrapped(kind, make=openai_client) as use:
        models = await use.do(lambda client: client.models.list())
        assert models
        assert len(use.sent) == 1


async def test_azure_names_the_model_in_the_address(kind):
    seen = []

    def respond(request):
        seen.append((request.url.path, request.headers["api-key"]))
        if "/deployments/first/" in request.url.path:
            return httpx2.Response(529, json={"error": {"message": "overloaded"}})
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}}
        said = {"id": "c", "model": "m", "choices": [{**choice, "finish_reason": "stop"}]}
        return httpx2.Response(200, json={**said, "object": "chat.completion", "created": 1})

    of = httpx2.AsyncClient if kind == "async" else httpx2.Client
    azure = openai.AsyncAzureOpenAI if kind == "async" else openai.AzureOpenAI
    client = azure(
        api_key="k",
        api_version="2026-01-01",
        azure_endpoint="https://ours.openai.azure.com",
        http_client=of(transport=httpx2.MockTransport(respond)),
    )
    client = failsoft.wrap(client, chain=["second"])
    asked = client.chat.completions.with_raw_response.create(**{**QUESTION, "model": "first"})
    raw = await asked if kind == "async" else asked
    assert raw.parse().choices[0].message.content == "Hi"
    assert seen == [
        ("/openai/deployments/first/chat/completions", "k"),
        ("/openai/deployments/second/chat/completions", "k"),
    ]
    assert answer_of(raw).attempts[-1].target == "azure/second"
