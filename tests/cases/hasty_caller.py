"""A caller's own limit, by whichever door, says nothing of the model: others are still answered."""

import asyncio

import anthropic
import httpx2
from case import ASKED, OPUS, hello, of_question, saw, upstream

import failsoft

LIMIT = 0.3
HASTY = ASKED | {"model": OPUS, "max_tokens": 8}


async def respond(peer):
    """Answers nobody who is in a hurry before they have hung up."""
    if of_question(peer)["max_tokens"] == HASTY["max_tokens"]:
        await peer.gone()
    else:
        await hello(peer)


async def streamed(client):
    async with client.messages.stream(**HASTY, timeout=LIMIT) as stream:
        await stream.get_final_message()


def asynchronous(ai, **limit):
    return failsoft.wrap(anthropic.AsyncAnthropic(**limit), ai=ai)


DOORS = {
    "the call": lambda ai: asynchronous(ai).messages.create(**HASTY, timeout=LIMIT),
    "a stream": lambda ai: streamed(asynchronous(ai)),
    "the client": lambda ai: asynchronous(ai, timeout=LIMIT).messages.create(**HASTY),
    "with_options": lambda ai: (
        asynchronous(ai).with_options(timeout=LIMIT).messages.create(**HASTY)
    ),
    "an object": lambda ai: asynchronous(
        ai, timeout=httpx2.Timeout(30.0, read=LIMIT)
    ).messages.create(**HASTY),
    "a blocking client": lambda ai: asyncio.to_thread(
        failsoft.wrap(anthropic.Anthropic(), ai=ai).messages.create, **HASTY, timeout=LIMIT
    ),
    "the library": lambda ai: ai.ask("Hi", timeout=LIMIT, max_tokens=HASTY["max_tokens"]),
}


async def through(door):
    async with failsoft.Failsoft(chain=[OPUS]) as ai:
        for _ in range(3):
            try:
                answer = await door(ai)
            except anthropic.APIError as error:
                answer = failsoft.answer_of(error)
            found = [attempt.verdict.breaker.value for attempt in answer.attempts]
            if set(found) - {"no"}:
                return found
        patient = await asynchronous(ai).messages.create(model=OPUS, **ASKED)
        return patient.content[0].text


async def main():
    found = await asyncio.gather(*map(through, DOORS.values()))
    for door, said in zip(DOORS, found, strict=True):
        saw(f"a patient caller after hasty ones, by {door}", said, "hello world")


upstream(respond, FAILSOFT_BREAKER_FAILURE_THRESHOLD="2", FAILSOFT_BREAKER_FAILURE_SPAN_SECONDS="0")
asyncio.run(main())
