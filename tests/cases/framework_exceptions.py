"""What failsoft knows of a failed call is found behind the exception a framework raised instead."""

import asyncio
import threading

import anthropic
from case import ASKED, OPUS, failure, saw, upstream

import failsoft


class FrameworkError(Exception):
    """A framework's own, which says nothing of the SDK's."""


async def respond(peer):
    await peer.send(failure(401, "authentication_error"))


def from_it(error):
    """Like pydantic-ai and LangChain."""
    raise FrameworkError from error


def while_handling(_):
    raise FrameworkError


def from_none(_):
    raise FrameworkError from None


def twice(error):
    """Like instructor: its retries have an exception of their own, and so has what ends them."""
    try:
        while_handling(error)
    except FrameworkError as inner:
        raise FrameworkError from inner


def from_another(error):
    """Its cause is not what it was raised for."""
    raise FrameworkError from ValueError(str(error))


def in_another_thread(error):
    """Like an executor: what it raised is raised again in the thread that waits."""
    raised = []

    def work():
        try:
            from_it(error)
        except FrameworkError as found:
            raised.append(found)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise raised[0]


def found_behind(error, raising):
    try:
        raising(error)
    except FrameworkError as raised:
        answer = failsoft.answer_of(raised)
        return answer and (answer.error_category.value, bool(answer.notice.body))


def blocking():
    return failsoft.wrap(anthropic.Anthropic()).messages.create(model=OPUS, **ASKED)


def plain():
    return asyncio.run(
        failsoft.wrap(anthropic.AsyncAnthropic()).messages.create(model=OPUS, **ASKED)
    )


def streamed():
    with failsoft.wrap(anthropic.Anthropic()).messages.stream(model=OPUS, **ASKED) as stream:
        return stream.get_final_message()


upstream(respond)
for ask in (blocking, plain, streamed):
    try:
        saw("what was answered", ask(), "an exception")
    except anthropic.APIError as error:
        for raising in (from_it, while_handling, from_none, twice, from_another, in_another_thread):
            name = f"{ask.__name__}, an exception raised {raising.__name__}"
            saw(name, found_behind(error, raising), ("auth_error", True))
    try:
        from_it(RuntimeError("the framework's"))
    except FrameworkError as own:
        saw("what is not failsoft's", failsoft.answer_of(own), None)
