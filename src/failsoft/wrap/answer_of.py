"""What failsoft knows of a call that a wrapped client made."""

from __future__ import annotations

from failsoft.engine.answer import Answer

__all__ = ["ANSWER", "answer_of"]

ANSWER = "failsoft_answer"
"""Where an exception of a wrapped client, or the extensions of its response, keep the answer."""


def answer_of(told: object) -> Answer | None:
    """What failsoft knows of a call that a wrapped client made: notice, attempts, verdict.

    ``told`` is what the call raised, or the raw response it returned. ``None`` where failsoft had
    no part in it.

        try:
            message = await client.messages.create(...)
        except anthropic.APIError as error:
            answer = failsoft.answer_of(error)
            show(answer.notice.body if answer else "Something went wrong.")
    """
    if isinstance(answer := getattr(told, ANSWER, None), Answer):
        return answer
    for name in ("response", "http_response"):
        extensions = getattr(getattr(told, name, None), "extensions", None)
        if isinstance(extensions, dict) and isinstance(answer := extensions.get(ANSWER), Answer):
            return answer
    return None
