"""The JSON of an event breaks off amid a wrapped stream: an exception of the SDK's own tree."""

import asyncio

import anthropic
from case import ASKED, OPUS, saw, upstream
from loopback import SSE_HEAD, chunked
from wire_events import START, STOP, block, end, text

import failsoft

BAD = b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta"\n\n'


async def broken(peer):
    parts = (START, block(), text("hello "), BAD, text("world"), STOP, end())
    await peer.send(chunked(SSE_HEAD, *parts))


async def main():
    client = failsoft.wrap(anthropic.AsyncAnthropic())
    shown = ""
    try:
        async with client.messages.stream(model=OPUS, **ASKED) as stream:
            async for said in stream.text_stream:
                shown += said
    except Exception as error:  # noqa: BLE001 - which it is, is the question
        answer = failsoft.answer_of(error)
        saw("shown before it", shown, "hello ")
        saw("an APIError", isinstance(error, anthropic.APIError), right=True)
        saw("what is known of it", answer and answer.text, "hello ")
        return
    saw("raised", None, "an APIError")


upstream(broken)
asyncio.run(main())
