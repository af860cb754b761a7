"""LangChain: a ChatAnthropic, which has no argument for a client but keeps the one it made."""

from anthropic import APIError
from asking import MAX_TOKENS, QUESTION, Form, Program
from langchain_anthropic import ChatAnthropic


def _chat(client, model):
    chat = ChatAnthropic(model=model, api_key="k", max_tokens=MAX_TOKENS)
    vars(chat).update(_client=client)
    vars(chat).update(_async_client=client)  # each form uses one of them
    return chat


async def plain(client, model, shown):
    shown.append((await _chat(client, model).ainvoke(QUESTION)).text)


def blocking(client, model, shown):
    shown.append(_chat(client, model).invoke(QUESTION).text)


async def stream(client, model, shown):
    async for chunk in _chat(client, model).astream(QUESTION):
        shown.append(chunk.text)


def blocking_stream(client, model, shown):
    for chunk in _chat(client, model).stream(QUESTION):
        shown.append(chunk.text)


PROGRAM = Program(
    forms=(
        Form(name="plain", is_async=True, streams=False, ask=plain, tree=APIError),
        Form(name="blocking", is_async=False, streams=False, ask=blocking, tree=APIError),
        Form(name="stream", is_async=True, streams=True, ask=stream, tree=APIError),
        Form(
            name="blocking stream", is_async=False, streams=True, ask=blocking_stream, tree=APIError
        ),
    )
)
