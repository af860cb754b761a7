"""Never run: what type checkers must see in programs that use a wrapped client."""

from typing import assert_type

from anthropic import Anthropic, AsyncAnthropic, AsyncStream, Stream
from anthropic.lib.streaming import AsyncMessageStreamManager, MessageStreamManager
from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage
from anthropic.types.parsed_message import ParsedMessage
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai import AsyncStream as AsyncChunks
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from pydantic import BaseModel

import failsoft

ASKED: list[MessageParam] = [{"role": "user", "content": "What is escrow?"}]
MODEL = "claude-opus-5-5"


class Rate(BaseModel):
    years: int


class OurClient(AsyncAnthropic):
    """Some have their own."""

    team = "loans"


async def asynchronous() -> None:
    client = failsoft.wrap(AsyncAnthropic(), chain=["claude-sonnet-5-5"])
    assert_type(client, AsyncAnthropic)
    assert_type(await client.messages.create(model=MODEL, max_tokens=8, messages=ASKED), Message)
    stream = await client.messages.create(model=MODEL, max_tokens=8, messages=ASKED, stream=True)
    assert_type(stream, AsyncStream[RawMessageStreamEvent])
    manager = client.messages.stream(model=MODEL, max_tokens=8, messages=ASKED)
    assert_type(manager, AsyncMessageStreamManager[None])
    parsed = await client.messages.parse(
        model=MODEL, max_tokens=8, messages=ASKED, output_format=Rate
    )
    assert_type(parsed, ParsedMessage[Rate])
    beta = await client.beta.messages.create(
        model=MODEL, max_tokens=8, messages=[{"role": "user", "content": "What is escrow?"}]
    )
    assert_type(beta, BetaMessage)
    assert_type(client.with_options(timeout=5), AsyncAnthropic)


def blocking() -> None:
    client = failsoft.wrap(Anthropic())
    assert_type(client, Anthropic)
    assert_type(client.messages.create(model=MODEL, max_tokens=8, messages=ASKED), Message)
    stream = client.messages.create(model=MODEL, max_tokens=8, messages=ASKED, stream=True)
    assert_type(stream, Stream[RawMessageStreamEvent])
    manager = client.messages.stream(model=MODEL, max_tokens=8, messages=ASKED)
    assert_type(manager, MessageStreamManager[None])


async def of_openai() -> None:
    client = failsoft.wrap(AsyncOpenAI(), chain=["gpt-5.5-mini"])
    assert_type(client, AsyncOpenAI)
    said = await client.chat.completions.create(
        model="gpt-5.5", messages=[{"role": "user", "content": "What is escrow?"}]
    )
    assert_type(said, ChatCompletion)
    stream = await client.chat.completions.create(
        model="gpt-5.5", messages=[{"role": "user", "content": "What is escrow?"}], stream=True
    )
    assert_type(stream, AsyncChunks[ChatCompletionChunk])
    parsed = await client.chat.completions.parse(
        model="gpt-5.5",
        messages=[{"role": "user", "content": "What is escrow?"}],
        response_format=Rate,
    )
    assert_type(parsed, ParsedChatCompletion[Rate])
    assert_type(client.with_options(timeout=5), AsyncOpenAI)
    assert_type(failsoft.wrap(OpenAI()), OpenAI)
    assert_type(failsoft.wrap(AzureOpenAI(api_version="v1")), AzureOpenAI)


def own_clients_stay_what_they_are() -> None:
    client = failsoft.wrap(OurClient())
    assert_type(client, OurClient)
    assert_type(client.team, str)


def what_is_no_client_is_an_error() -> None:
    failsoft.wrap("client")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


def errors(error: Exception) -> None:
    answer = failsoft.answer_of(error)
    assert_type(answer, failsoft.Answer | None)
