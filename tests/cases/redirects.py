"""A gateway that redirects the call: no key, header or prompt goes to another origin."""

import asyncio
import os

import anthropic
from case import ASKED, OPUS, hello, saw, upstream
from loopback import fixed

import failsoft


def redirect(status, place):
    return fixed(b"HTTP/1.1 %d X\r\nlocation: %b\r\n" % (status, place.encode()), b"")


async def respond(peer):
    path = peer.request.line.split()[1]
    if path.startswith("/other/"):
        await peer.send(redirect(307, f"{other.url}/v1/messages"))
    elif path.startswith("/same/"):
        await peer.send(redirect(307, "/ok/v1/messages"))
    elif path.startswith("/login/"):
        await peer.send(redirect(302, "/sign-in"))
    elif path == "/sign-in":
        await peer.send(fixed(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n", b"<html></html>"))
    elif path.startswith("/loop/"):
        await peer.send(redirect(307, path))
    else:
        await hello(peer)


async def library():
    async with failsoft.Failsoft(chain=[OPUS]) as ai:
        answer = await ai.ask("A secret question")
    return answer.status


async def wrapped():
    client = failsoft.wrap(anthropic.AsyncAnthropic(max_retries=0))
    try:
        await client.messages.create(model=OPUS, **ASKED)
    except anthropic.APIError:
        return "error"
    return "success"


other = upstream(hello)
server = upstream(respond, FAILSOFT_RETRY_MAX_ATTEMPTS="1", FAILSOFT_CACHE_ENABLED="false")
for how, right in {"other": "error", "same": "success", "login": "error", "loop": "error"}.items():
    os.environ["ANTHROPIC_BASE_URL"] = f"{server.url}/{how}"
    saw(f"{how}, of the library", asyncio.run(library()), right)
saw("what the other place got of it", len(other.requests), 0)
os.environ["ANTHROPIC_BASE_URL"] = f"{server.url}/other"
asyncio.run(wrapped())
named = {"x-api-key", "authorization"}
leaked = [named & set(request.headers) for request in other.requests]
saw("keys that the other place got of a wrapped client", [one for one in leaked if one], [])
