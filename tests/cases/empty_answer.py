"""A complete answer without a visible character is none: next model, then words for the person."""

import json

from case import OPUS, hello, models, of_question, saw, served, upstream
from loopback import SSE_HEAD, chunked
from wire_events import START, STOP, block, delta, end, text

THOUGHT = block(type="thinking", thinking="", signature="") + delta(
    type="thinking_delta", thinking="hm"
)
EMPTY = {
    "no blocks": START + end(),
    "an empty text": START + block() + STOP + end(),
    "white space": START + block() + text("\n\n") + STOP + end(),
}
reply = {"": b"", "by": ()}


async def respond(peer):
    if of_question(peer)["model"] in reply["by"]:
        await peer.send(chunked(SSE_HEAD, reply[""]))
    else:
        await hello(peer)


server = upstream(respond)
with served() as call:
    for name, reply[""] in EMPTY.items():
        for path in ("/api/chat", "/api/chat/stream"):
            reply["by"] = (OPUS,)
            status, body = call("POST", path, {"message": f"{name} {path}"})
            saw(f"{name}, {path}", (status, b"world" in body), (200, True))
        reply["by"] = (OPUS, "claude-sonnet-5-5", "claude-haiku-5-5")
        status, body = call("POST", "/api/chat", {"message": f"{name}, of all"})
        told = json.loads(body)
        saw(f"{name}, of every model", (status, told["error_category"]), (503, "unknown"))
    reply[""] = START + THOUGHT + STOP + end("max_tokens")
    before = len(server.requests)
    status, body = call("POST", "/api/chat", {"message": "thought alone"})
    saw("thought until max_tokens", (status, json.loads(body)["retryable"]), (422, False))
    saw("which models were asked for it", models(server)[before:], [OPUS])
