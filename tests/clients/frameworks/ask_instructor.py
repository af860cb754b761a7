"""instructor: a typed reply by a forced tool, whole and in parts."""

import instructor
from asking import MAX_TOKENS, QUESTION, Form, Program
from instructor.core.exceptions import InstructorError
from pydantic import BaseModel


class Reply(BaseModel):
    answer: str


def _asked(model):
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": model, "max_tokens": MAX_TOKENS, "messages": messages, "response_model": Reply}


async def plain(client, model, shown):
    reply = await instructor.from_anthropic(client).create(**_asked(model))
    shown.append(reply.answer)


def blocking(client, model, shown):
    shown.append(instructor.from_anthropic(client).create(**_asked(model)).answer)


async def stream(client, model, shown):
    async for part in instructor.from_anthropic(client).create_partial(**_asked(model)):
        shown[:] = [part.answer or ""]


def blocking_stream(client, model, shown):
    for part in instructor.from_anthropic(client).create_partial(**_asked(model)):
        shown[:] = [part.answer or ""]


PROGRAM = Program(
    forms=(
        Form(name="plain", is_async=True, streams=False, ask=plain, tree=InstructorError),
        Form(name="blocking", is_async=False, streams=False, ask=blocking, tree=InstructorError),
        Form(name="stream", is_async=True, streams=True, ask=stream, tree=InstructorError),
        Form(
            name="blocking stream",
            is_async=False,
            streams=True,
            ask=blocking_stream,
            tree=InstructorError,
        ),
    )
)
