"""Deltas with nothing in them, for ever: the next model is asked, plain and wrapped."""

import asyncio

import anthropic
from case import ASKED, OPUS, SONNET, for_ever, hello, of_question, saw, upstream
from wire_events import START, block, delta

import failsoft

EMPTY = {
    "text": (block(), delta(type="text_delta", text="")),
    "thinking": (
        block(type="thinking", thinking="", signature=""),
        delta(type="thinking_delta", thinking=""),
    ),
    "tool": (
        block(type="tool_use", id="t", name="x", input={}),
        delta(type="input_json_delta", partial_json=""),
    ),
    "unknown": (block(), delta(type="brand_new_delta")),
}


async def respond(peer):
    asked = of_question(peer)
    if asked["model"] != OPUS:
        await hello(peer)
        return
    begin, again = EMPTY[asked["messages"][-1]["content"]]
    await for_ever(peer, START, begin, again=again)


async def plain(ai, kind):
    answer = await ai.ask(kind)
    verdicts = [str(attempt.verdict) for attempt in answer.attempts]
    return answer.text, verdicts, answer.model


async def wrapped(client, kind):
    asked = ASKED | {"messages": [{"role": "user", "content": kind}]}
    async with client.messages.stream(model=OPUS, **asked) as stream:
        return await stream.get_final_text()


async def main():
    client = failsoft.wrap(anthropic.AsyncAnthropic(), chain=[SONNET])
    async with failsoft.Failsoft() as ai:
        answers = asyncio.gather(*(plain(ai, kind) for kind in EMPTY))
        replies = asyncio.gather(*(wrapped(client, kind) for kind in EMPTY))
        found = zip(EMPTY, await answers, await replies, strict=True)
    for kind, answer, reply in found:
        right = "hello world", ["timeout · no_answer", "None"], SONNET
        saw(f"{kind}, of the library", answer, right)
        saw(f"{kind}, of a wrapped client", reply, "hello world")


upstream(
    respond,
    FAILSOFT_CACHE_ENABLED="false",
    FAILSOFT_TIMERS_FIRST_CONTENT_SECONDS="3",
    FAILSOFT_TIMERS_FIRST_CONTENT_MIN_SECONDS="3",
    FAILSOFT_TIMERS_THINKING_SILENCE_SECONDS="3",
)
asyncio.run(main())
