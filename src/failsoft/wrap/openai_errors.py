"""The exceptions of a wrapped openai client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from failsoft.classify.wire_errors import BadReply, WireFailure
from failsoft.engine.answer import Answer
from failsoft.wrap.client_errors import ClientErrors, response_of

__all__ = ["ERRORS"]

# The SDK's own words for an error in a stream that has none.
_NO_WORDS = "An error occurred during streaming"


class UnreadableCompletionError(openai.APIResponseValidationError, openai.APIConnectionError):
    """A 200 that is no reply, for programs that catch either of the two."""

    def __init__(self, cause: BadReply, request: httpx2.Request) -> None:
        message = f"failsoft: {cause.detail}"
        openai.APIError.__init__(self, message, request, body=cause.body)
        self.response = response_of(cause, request)
        self.status_code = self.response.status_code


class _Errors(ClientErrors):
    def raised(
        self,
        answer: Answer,  # noqa: ARG002 - other SDKs need it
        cause: Exception,
        request: httpx2.Request,
    ) -> BaseException:
        error: BaseException = cause
        if isinstance(cause, httpx2.TimeoutException):
            error = openai.APITimeoutError(request=request)
        elif isinstance(cause, httpx2.RequestError | OSError):
            error = openai.APIConnectionError(request=request)
        if error is not cause:
            error.__cause__ = cause
        return error

    def unreadable(self, cause: BadReply, request: httpx2.Request) -> BaseException:
        return UnreadableCompletionError(cause, request)

    def in_band(self, cause: WireFailure, request: httpx2.Request) -> BaseException:
        body = cause.body.get("error") or cause.body if isinstance(cause.body, Mapping) else None
        said = body.get("message") if isinstance(body, Mapping) else None
        message = said if said and isinstance(said, str) else _NO_WORDS
        return openai.APIError(message, request, body=body)

    def body_of(self, response: httpx2.Response) -> Any:
        body = super().body_of(response)
        return body.get("error", body) if isinstance(body, Mapping) else body


ERRORS = _Errors(openai)
