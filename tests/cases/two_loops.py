"""One client of a whole process, each job in an ``asyncio.run`` of its own."""

import asyncio

import anthropic
from case import ASKED, OPUS, hello, saw, upstream

import failsoft

upstream(hello)
client = failsoft.wrap(anthropic.AsyncAnthropic())
ai = failsoft.Failsoft()


async def plain():
    return (await client.messages.create(model=OPUS, **ASKED)).content[0].text


async def streamed():
    async with client.messages.stream(model=OPUS, **ASKED) as stream:
        return await stream.get_final_text()


async def library():
    return (await ai.ask("Hi")).text


for job in (plain, streamed, library):
    said = [asyncio.run(job()) for _ in range(3)]
    saw(f"{job.__name__}, three times", said, ["hello world"] * 3)
