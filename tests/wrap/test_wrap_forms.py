"""Every form of a call goes through the engine, and gives what the SDK gives."""

import json

import anthropic
import httpx2
import pytest
from pydantic import BaseModel
from wrap_kit import OPUS, QUESTION, SONNET, wrapped

TOOL = {
    "name": "get_rate",
    "description": "The rate of a loan.",
    "input_schema": {"type": "object", "properties": {"years": {"type": "integer"}}},
}
STREAMS = (anthropic.Stream, anthropic.AsyncStream)

pytestmark = pytest.mark.parametrize("kind", ["async", "sync"])


def failing(kind, **more):
    """The first model is overloaded, and there is another one."""
    return wrapped(kind, f"{OPUS}=529", chain=[SONNET], **more)


def went_on(use):
    return use.models == [OPUS, SONNET]


async def test_create(kind):
    async with failing(kind) as use:
        message = await use.do(lambda client: client.messages.create(**QUESTION))
        assert type(message) is anthropic.types.Message
        assert (message.model, message.stop_reason) == (SONNET, "end_turn")
        assert message._request_id
        assert went_on(use)


async def test_create_as_a_stream(kind):
    async with failing(kind) as use:
        stream = await use.do(lambda client: client.messages.create(**QUESTION, stream=True))
        assert isinstance(stream, STREAMS)
        events = await use.each(stream)
        assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
        assert events[0].message.model == SONNET
        assert stream.response.elapsed.total_seconds() > 0
        assert went_on(use)


async def test_stream(kind):
    async with failing(kind) as use:

        async def read(stream):
            text = "".join([text async for text in stream.text_stream])
            return text, await stream.get_final_message()

        def read_blocking(stream):
            return "".join(stream.text_stream), stream.get_final_message()

        text, message = await use.within(
            use.client.messages.stream(**QUESTION), read if use.is_async else read_blocking
        )
        assert text
        assert text == message.content[0].text
        assert went_on(use)


async def test_a_raw_response(kind):
    async with failing(kind) as use:
        raw = await use.do(lambda client: client.messages.with_raw_response.create(**QUESTION))
        assert raw.headers["request-id"] == raw.request_id
        parsed = await raw.parse() if use.is_async else raw.parse()
        assert parsed.model == SONNET
        assert isinstance(raw.http_response, httpx2.Response)
        assert went_on(use)


async def test_a_raw_response_of_a_stream(kind):
    async with failing(kind) as use:
        raw = await use.do(
            lambda client: client.messages.with_raw_response.create(**QUESTION, stream=True)
        )
        events = await use.each(await raw.parse() if use.is_async else raw.parse())
        assert events[-1].type == "message_stop"
        assert went_on(use)


async def test_a_streaming_response(kind):
    async with failing(kind) as use:

        async def read(response):
            return await response.json()

        def read_blocking(response):
            return response.json()

        body = await use.within(
            use.client.messages.with_streaming_response.create(**QUESTION),
            read if use.is_async else read_blocking,
        )
        assert body["model"] == SONNET
        assert went_on(use)


async def test_a_streaming_response_of_a_stream(kind):
    async with failing(kind) as use:

        async def read(response):
            return [line async for line in response.iter_lines()]

        def read_blocking(response):
            return list(response.iter_lines())

        lines = await use.within(
            use.client.messages.with_streaming_response.create(**QUESTION, stream=True),
            read if use.is_async else read_blocking,
        )
        assert lines[0] == "event: message_start"
        assert "event: message_stop" in lines
        assert went_on(use)


async def test_beta(kind):
    async with failing(kind) as use:
        message = await use.do(
            lambda client: client.beta.messages.create(**QUESTION, betas=["some-beta-2026-01-01"])
        )
        assert type(message) is anthropic.types.beta.BetaMessage
        assert went_on(use)


async def test_tools(kind):
    async with failing(kind) as use:
        tools = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "get_rate"}}
        message = await use.do(lambda client: client.messages.create(**QUESTION, **tools))
        assert [block.type for block in message.content] == ["tool_use"]
        stream = await use.do(
            lambda client: client.messages.create(**QUESTION, **tools, stream=True)
        )
        kinds = [event.type for event in await use.each(stream)]
        assert kinds.count("content_block_start") == 1
        assert use.models[:2] == [OPUS, SONNET]


class Rate(BaseModel):
    years: int = 0


async def test_structured_output(kind):
    async with failing(kind) as use:
        message = await use.do(lambda client: client.messages.parse(**QUESTION, output_format=Rate))
        assert isinstance(message.parsed_output, Rate)
        assert went_on(use)


async def test_extra_fields_and_headers_go_along_to_the_next_model(kind):
    async with failing(kind) as use:
        await use.do(
            lambda client: client.messages.create(
                **QUESTION, extra_body={"metadata": {"user_id": "u"}}, extra_headers={"x-mine": "1"}
            )
        )
        first, second = use.sent
        assert json.loads(second.content) == {**json.loads(first.content), "model": SONNET}
        assert second.headers["x-mine"] == "1"


async def test_options_of_a_copy_hold(kind):
    async with failing(kind) as use:
        copy = use.client.with_options(default_headers={"x-team": "loans"})
        use.client = copy
        message = await use.do(lambda client: client.messages.create(**QUESTION))
        assert message.model == SONNET
        assert [one.headers["x-team"] for one in use.sent] == ["loans", "loans"]


async def test_what_is_no_message_goes_through_as_before(kind):
    async with wrapped(kind) as use:
        asked = {name: QUESTION[name] for name in ("model", "messages")}
        counted = await use.do(lambda client: client.messages.count_tokens(**asked))
        assert counted.input_tokens > 0
        models = await use.do(lambda client: client.models.list())
        assert models.data
