"""The exceptions of a wrapped Anthropic client."""

from __future__ import annotations

import anthropic
import httpx2

from failsoft.classify.wire_errors import BadReply
from failsoft.engine.answer import Answer
from failsoft.wrap.client_errors import ClientErrors, response_of

__all__ = ["ERRORS"]


class UnreadableReplyError(anthropic.APIResponseValidationError, anthropic.APIConnectionError):
    """A 200 that is no reply, for programs that catch either of the two.

    Frameworks translate the SDK's connection and status errors; they let a validation error pass.
    """

    def __init__(self, cause: BadReply, request: httpx2.Request) -> None:
        message = f"failsoft: {cause.detail}"
        anthropic.APIError.__init__(self, message, request, body=cause.body)
        self.response = response_of(cause, request)
        self.status_code = self.response.status_code


class MissingKeyError(anthropic.APIError, TypeError):
    """The client has no key: the ``TypeError`` of the SDK, and an ``APIError`` as well."""

    def __init__(self, cause: TypeError, request: httpx2.Request) -> None:
        super().__init__(str(cause), request, body=None)
        self.__cause__ = cause


class _Errors(ClientErrors):
    def raised(self, answer: Answer, cause: Exception, request: httpx2.Request) -> BaseException:
        no_key = answer.verdict is not None and answer.verdict.reason == "authentication"
        return MissingKeyError(cause, request) if no_key and isinstance(cause, TypeError) else cause

    def unreadable(self, cause: BadReply, request: httpx2.Request) -> BaseException:
        return UnreadableReplyError(cause, request)


ERRORS = _Errors(anthropic)
