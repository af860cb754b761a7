"""What failsoft knows of a call that a wrapped client made."""

from __future__ import annotations

from failsoft.engine.answer import Answer

__all__ = ["ANSWER", "answer_of"]

ANSWER = "failsoft_answer"
"""Where an exception of a wrapped client, or the extensions of its response, keep the answer."""


def answer_of(told: object) -> Answer | None:
    """What failsoft knows of a call that a wrapped client made: notice, attempts, verdict.

    ``told`` is what the call raised, or the raw response it returned. Of an exception that another
    package raised in its place, the causes are searched too (``__cause__``, then ``__context__``).
    ``None`` where failsoft had no part in it.

        try:
            message = await client.messages.create(...)
        except anthropic.APIError as error:
            answer = failsoft.answer_of(error)
            show(answer.notice.body if answer else "Something went wrong.")
    """
    waiting, seen = [told], set[int]()
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if (answer := _kept_by(link)) is not None:
            return answer
        if isinstance(link, BaseException):
            waiting += (link.__cause__, link.__context__)
    return None


def _kept_by(told: object) -> Answer | None:
    if isinstance(answer := getattr(told, ANSWER, None), Answer):
        return answer
    for response in (told, *(getattr(told, name, None) for name in ("response", "http_response"))):
        extensions = getattr(response, "extensions", None)
        if isinstance(extensions, dict) and isinstance(answer := extensions.get(ANSWER), Answer):
            return answer
    return None
