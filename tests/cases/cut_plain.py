"""A plain reply that breaks off, in whatever way, goes to the next model at once."""

import asyncio

import anthropic
from case import ASKED, JSON_HEAD, OPUS, SONNET, failure, hello, models, of_question, saw, upstream
from loopback import fixed

import failsoft

HTML = fixed(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n", b"<html>No</html>")
ERROR = b'{"type": "error", "error": {"type": "overloaded_error", "message": "No"}}'
REPLIES = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-",
    "half a body": JSON_HEAD + b'content-length: 900\r\n\r\n{"id": "msg_1", "content": [',
    "no body": fixed(JSON_HEAD, b""),
    "half a message": fixed(JSON_HEAD, b'{"type": "message", "content": ['),
    "a page": HTML,
    "an error under 200": fixed(JSON_HEAD, ERROR),
    "500": failure(500, "api_error"),
    "529": failure(529, "overloaded_error"),
}
reply = [b""]


async def respond(peer):
    if of_question(peer)["model"] != OPUS:
        await hello(peer)
        return
    await peer.send(reply[0])
    peer.writer.close()


async def reset(peer):
    if of_question(peer)["model"] != OPUS:
        await hello(peer)
        return
    await peer.send(reply[0])
    peer.reset()


async def asked(client):
    return (await client.messages.create(model=OPUS, **ASKED)).content[0].text


def main(how, server):
    for name, reply[0] in REPLIES.items():
        for kind in ("blocking", "async"):
            server.requests.clear()
            if kind == "blocking":
                client = failsoft.wrap(anthropic.Anthropic(base_url=server.url), chain=[SONNET])
                said = client.messages.create(model=OPUS, **ASKED).content[0].text
            else:
                bare = anthropic.AsyncAnthropic(base_url=server.url)
                said = asyncio.run(asked(failsoft.wrap(bare, chain=[SONNET])))
            found = said, models(server)
            saw(f"{name}, {how}, {kind}", found, ("hello world", [OPUS, SONNET]))


main("closed", upstream(respond))
main("reset", upstream(reset))
