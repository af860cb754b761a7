"""Undocumented forms of the SDK work wrapped as they do bare."""

import anthropic
import httpx2
from case import ASKED, OPUS, hello, saw, upstream

import failsoft

BODY = {"model": OPUS, **ASKED}


def is_closed(client):
    with client.messages.with_streaming_response.create(**BODY) as reply:
        return reply.is_closed


def in_bytes(client):
    with client.messages.with_streaming_response.create(**BODY) as reply:
        return b"hello world" in b"".join(reply.iter_bytes())


def in_lines(client):
    with client.messages.with_streaming_response.create(**BODY, stream=True) as reply:
        return len(list(reply.iter_lines()))


def raw(client):
    reply = client.messages.with_raw_response.create(**BODY)
    said = reply.http_request.headers.get("x-stainless-timeout")
    return reply.request_id, reply.elapsed.total_seconds() > 0, said, reply.retries_taken


FORMS = {
    "a reply of httpx2's": lambda client: client.post(
        "/v1/messages", cast_to=httpx2.Response, body=BODY
    ).json()["content"][0]["text"],
    "a dict": lambda client: client.post("/v1/messages", cast_to=object, body=BODY)["content"],
    "another route": lambda client: (
        client.post("/v1/messages/count_tokens", cast_to=httpx2.Response, body=BODY).status_code
    ),
    "a reply that is read later": is_closed,
    "its bytes": in_bytes,
    "its lines": in_lines,
    "a raw reply": raw,
}

upstream(hello)
bare = anthropic.Anthropic()
wrapped = failsoft.wrap(anthropic.Anthropic())
for name, form in FORMS.items():
    saw(name, form(wrapped), form(bare))
