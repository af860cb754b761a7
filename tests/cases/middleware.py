"""A user's own middleware sees every try, whenever it was added, and takes failsoft out never."""

import anthropic
from case import ASKED, OPUS, SONNET, failure, hello, of_question, saw, upstream

import failsoft

seen = []


def notes(request, call_next):
    seen.append((request.json["model"], request.retries_taken))
    response = call_next(request)
    seen.append(response.http_response.status_code)
    return response


async def respond(peer):
    if of_question(peer)["model"] == OPUS:
        await peer.send(failure(529, "overloaded_error"))
    else:
        await hello(peer)


def before():
    return failsoft.wrap(anthropic.Anthropic(middleware=[notes]), chain=[SONNET])


def after():
    client = failsoft.wrap(anthropic.Anthropic(), chain=[SONNET])
    return client.with_options(middleware=[*client.middleware, notes])


def instead():
    return failsoft.wrap(anthropic.Anthropic(), chain=[SONNET]).with_options(middleware=[notes])


def by_an_iterator():
    client = failsoft.wrap(anthropic.Anthropic(), chain=[SONNET])
    return client.with_options(middleware=iter([notes]))


upstream(respond)
for made in (before, after, instead, by_an_iterator):
    seen.clear()
    text = made().messages.create(model=OPUS, **ASKED).content[0].text
    saw(f"the answer, {made.__name__}", text, "hello world")
    saw(f"what it saw, {made.__name__}", seen, [(OPUS, 0), 529, (SONNET, 1), 200])
