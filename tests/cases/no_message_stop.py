"""The whole answer and its stop reason have come, then only pings: it is complete."""

import asyncio

from case import OPUS, for_ever, saw, upstream
from wire_events import PING, START, STOP, block, reason, text

from failsoft import Failsoft, StreamDone


async def respond(peer):
    await for_ever(peer, START, block(), text("All of it."), STOP, reason(), again=PING)


async def main():
    async with Failsoft(chain=[OPUS]) as ai:
        events = [event async for event in ai.stream("Hi")]
    last = events[-1]
    saw("the last event", type(last), StreamDone)
    answer = last.answer
    found = answer.text, answer.finish, len(answer.attempts)
    saw("the answer", found, ("All of it.", "complete", 1))


upstream(respond)
asyncio.run(main())
