"""A client's own ``timeout`` and ``max_retries=0`` keep their meaning."""

import anthropic
from case import ASKED, OPUS, failure, saw, upstream

import failsoft

SLOW_DOWN = failure(429, "rate_limit_error", head=b"retry-after: 50\r\n")
OVERLOADED = failure(529, "overloaded_error")
reply = [b""]


async def respond(peer):
    await peer.send(reply[0])


def wrapped(**options):
    return failsoft.wrap(anthropic.Anthropic(**options))


DOORS = {
    "the call": lambda: wrapped().messages.create(model=OPUS, **ASKED, timeout=3),
    "with_options": lambda: wrapped().with_options(timeout=3).messages.create(model=OPUS, **ASKED),
    "the client": lambda: wrapped(timeout=3).messages.create(model=OPUS, **ASKED),
}


def failed(call):
    """The status, and when the last try began."""
    server.requests.clear()
    try:
        call()
    except anthropic.APIStatusError as error:
        return error.status_code, failsoft.answer_of(error).attempts[-1].started_seconds
    return None, 0


server = upstream(respond)
for name, call in DOORS.items():
    reply[0] = SLOW_DOWN
    status, _ = failed(call)
    saw(f"a wait beyond it, by {name}", (status, len(server.requests)), (429, 1))
    reply[0] = OVERLOADED
    status, began = failed(call)
    saw(f"tries within it, by {name}", (status, began <= 3), (529, True))
status, _ = failed(lambda: wrapped(max_retries=0).messages.create(model=OPUS, **ASKED))
saw("max_retries=0", (status, len(server.requests)), (529, 1))
