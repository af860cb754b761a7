"""What the caller of a wrapped client gets when no answer came: what the SDK would have raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import anthropic
import httpx2

from failsoft.classify.wire_errors import BadReply, TimedOut, WireFailure
from failsoft.engine.answer import Answer
from failsoft.wrap.answer_of import ANSWER

__all__ = ["exception_for"]

# Headers that were true of the bytes on the wire.
_OF_THE_WIRE = frozenset(("content-encoding", "content-length", "transfer-encoding"))

_TYPES: Mapping[int, str] = {
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    529: "overloaded_error",
}


def exception_for(
    answer: Answer, cause: BaseException | None, request: httpx2.Request
) -> BaseException:
    """The SDK's exception for a failed ``answer``: the one it raised itself, where it raised one.

    Of no reply at all it is a 503, or the status that is known to be the reason.
    """
    error = _exception(answer, cause, request)
    error.__dict__[ANSWER] = answer
    if isinstance(cause, WireFailure) and cause.__cause__ is not error:
        error.__cause__ = cause
    if answer.attempts:
        tried = ", ".join(f"{one.target} ({one.verdict or one.outcome})" for one in answer.attempts)
        error.add_note(f"failsoft tried {tried}; request {answer.request_id}")
    return error


def _exception(
    answer: Answer, cause: BaseException | None, request: httpx2.Request
) -> BaseException:
    if isinstance(cause, TypeError) and _no_key(answer):
        return MissingKeyError(cause, request)
    if cause is not None and not isinstance(cause, WireFailure):
        return cause
    return _made(answer, cause, request)


def _made(answer: Answer, cause: WireFailure | None, request: httpx2.Request) -> BaseException:
    """The exception for what failsoft saw itself."""
    if isinstance(cause, TimedOut) and isinstance(cause.__cause__, anthropic.APITimeoutError):
        return cause.__cause__  # a limit of the caller's own, which the SDK kept
    if isinstance(cause, TimedOut) or (cause is None and _out_of_time(answer)):
        return anthropic.APITimeoutError(request=request)
    if cause is None:
        return _not_called(answer, request)
    if isinstance(cause, BadReply):
        return UnreadableReplyError(cause, request)
    if cause.status is None or not (cause.status >= HTTPStatus.MULTIPLE_CHOICES or cause.body):
        return anthropic.APIConnectionError(
            message=f"failsoft: the answer broke off: {cause.detail}", request=request
        )
    return _status_error(_response(cause, request), f"failsoft: {cause.detail}")


class UnreadableReplyError(anthropic.APIResponseValidationError, anthropic.APIConnectionError):
    """A 200 that is no reply, for programs that catch either of the two.

    Frameworks translate the SDK's connection and status errors; they let a validation error pass.
    """

    def __init__(self, cause: BadReply, request: httpx2.Request) -> None:
        message = f"failsoft: {cause.detail}"
        anthropic.APIError.__init__(self, message, request, body=cause.body)
        self.response = _response(cause, request)
        self.status_code = self.response.status_code


class MissingKeyError(anthropic.APIError, TypeError):
    """The client has no key: the ``TypeError`` of the SDK, and an ``APIError`` as well."""

    def __init__(self, cause: TypeError, request: httpx2.Request) -> None:
        super().__init__(str(cause), request, body=None)
        self.__cause__ = cause


def _no_key(answer: Answer) -> bool:
    return answer.verdict is not None and answer.verdict.reason == "authentication"


def _out_of_time(answer: Answer) -> bool:
    return answer.verdict is not None and answer.verdict.reason == "deadline"


def _not_called(answer: Answer, request: httpx2.Request) -> BaseException:
    verdict, seconds = answer.verdict, answer.retry_after
    status = (verdict.http_status if verdict else None) or HTTPStatus.SERVICE_UNAVAILABLE
    when = "" if seconds is None else f"; a call may succeed in {seconds:.0f} s"
    why = f" after {verdict}" if verdict else ""
    headers = {} if seconds is None else {"retry-after": f"{seconds:.0f}"}
    message = f"failsoft made no call: every model is left out{why}{when}"
    error = {"type": _TYPES.get(status, "api_error"), "message": message}
    failure = WireFailure(
        message, status=status, headers=headers, body={"type": "error", "error": error}
    )
    return _status_error(_response(failure, request), message)


def _response(failure: WireFailure, request: httpx2.Request) -> httpx2.Response:
    kept = {k: v for k, v in failure.headers.items() if k.lower() not in _OF_THE_WIRE}
    body = failure.body
    return httpx2.Response(
        failure.status or HTTPStatus.OK,
        headers={**kept, "x-should-retry": "false"},
        content=json.dumps(body) if isinstance(body, Mapping) else body,
        request=request,
    )


def _status_error(response: httpx2.Response, message: str) -> BaseException:
    status = response.status_code
    kinds = (
        anthropic.BadRequestError,
        anthropic.AuthenticationError,
        anthropic.PaymentRequiredError,
        anthropic.PermissionDeniedError,
        anthropic.NotFoundError,
        anthropic.RequestTimeoutError,
        anthropic.ConflictError,
        anthropic.ContentTooLargeError,
        anthropic.UnprocessableEntityError,
        anthropic.RateLimitError,
        anthropic.ServiceUnavailableError,
        anthropic.GatewayTimeoutError,
        anthropic.OverloadedError,
    )
    other = anthropic.APIStatusError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        other = anthropic.InternalServerError
    kind = next((kind for kind in kinds if kind.status_code == status), other)
    return kind(message, response=response, body=_json(response))


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
