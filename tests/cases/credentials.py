"""A short-lived token that was revoked early: the client asks for a new one once, as bare."""

import time

import anthropic
from anthropic.lib.credentials import AccessToken
from case import ASKED, OPUS, failure, hello, saw, upstream

import failsoft

asked = []


async def respond(peer):
    if peer.request.headers["authorization"] == "Bearer good":
        await hello(peer)
    else:
        await peer.send(failure(401, "authentication_error"))


def provider(*, force_refresh=False):
    asked.append(force_refresh)
    return AccessToken("good" if force_refresh else "bad", expires_at=int(time.time()) + 3600)


server = upstream(respond)
for name, wrapped in (("bare", False), ("wrapped", True)):
    asked.clear()
    server.requests.clear()
    client = anthropic.Anthropic(base_url=server.url, api_key=None, credentials=provider)
    client = failsoft.wrap(client) if wrapped else client
    said = [client.messages.create(model=OPUS, **ASKED).content[0].text for _ in range(2)]
    saw(f"the answers of a {name} client", said, ["hello world"] * 2)
    saw(f"what a {name} client asked its provider for", asked, [False, True])
    saw(f"the requests of a {name} client", len(server.requests), 3)
