"""A park or a bench of a wrapped client is of one key and host, by whichever way a key comes."""

import anthropic
from case import ASKED, OPUS, failure, hello, saw, upstream

import failsoft

BROKE = "Your credit balance is too low to access the Anthropic API."
REFUSED = {
    "bad": failure(401, "authentication_error", "invalid x-api-key"),
    "broke": failure(400, "invalid_request_error", BROKE),
    "slow": failure(429, "rate_limit_error", head=b"retry-after: 55\r\n"),
}


async def respond(peer):
    headers = peer.request.headers
    key = headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")
    if key in REFUSED:
        await peer.send(REFUSED[key])
    else:
        await hello(peer)


def asked(client, **more):
    try:
        return client.messages.create(model=OPUS, **ASKED, **more).content[0].text
    except anthropic.APIStatusError as error:
        return error.status_code


def header(key):
    return {"extra_headers": {"x-api-key": key}}


server, other = upstream(respond), upstream(respond)
for key, status in (("bad", 401), ("broke", 400), ("slow", 429)):
    for way in ("with_options", "extra_headers"):
        client = failsoft.wrap(anthropic.Anthropic(base_url=server.url, api_key="good", timeout=5))
        if way == "with_options":
            refused, fine = asked(client.with_options(api_key=key)), asked(client)
            others = asked(client.with_options(api_key="another"))
        else:
            refused, fine = asked(client, **header(key)), asked(client)
            others = asked(client, **header("another"))
        elsewhere = asked(client.with_options(base_url=other.url))
        found = refused, fine, others, elsewhere
        saw(f"{key} by {way}", found, (status, *["hello world"] * 3))

client = failsoft.wrap(anthropic.Anthropic(base_url=server.url, api_key="bad", timeout=5))
before = asked(client)
client.api_key = "good"
saw("a key that was put in place", (before, asked(client)), (401, "hello world"))
