"""The next model takes fewer output tokens than the thought was to have: both are changed."""

import asyncio

import anthropic
from case import OPUS, failure, hello, of_question, saw, upstream

import failsoft

SMALL = "claude-haiku-4-5"
LIMIT = 64_000
ASKED = {
    "max_tokens": 100_000,
    "thinking": {"type": "enabled", "budget_tokens": 80_000},
    "messages": [{"role": "user", "content": "Hi"}],
}


async def respond(peer):
    asked = of_question(peer)
    if asked["model"] == OPUS:
        await peer.send(failure(529, "overloaded_error"))
    elif asked["max_tokens"] > LIMIT or asked["thinking"]["budget_tokens"] >= asked["max_tokens"]:
        await peer.send(failure(400, "invalid_request_error"))
    else:
        await hello(peer)


async def strict():
    async with failsoft.Failsoft(chain=[OPUS, SMALL]) as ai:
        return (await ai.complete(**ASKED)).text


async def wrapped():
    client = failsoft.wrap(anthropic.AsyncAnthropic(), chain=[SMALL])
    async with client.messages.stream(model=OPUS, **ASKED) as stream:
        return await stream.get_final_text()


server = upstream(respond)
for ask in (strict, wrapped):
    saw(f"{ask.__name__}", asyncio.run(ask()), "hello world")
