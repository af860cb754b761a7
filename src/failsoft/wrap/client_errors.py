"""What the caller of a wrapped client gets when no answer came: what the SDK would have raised."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from types import ModuleType
from typing import Any

import httpx2

from failsoft.classify.wire_errors import BadReply, TimedOut, WireFailure
from failsoft.engine.answer import Answer
from failsoft.wrap.answer_of import ANSWER

__all__ = ["ClientErrors", "response_of"]

# Headers that were true of the bytes on the wire.
_OF_THE_WIRE = frozenset(("content-encoding", "content-length", "transfer-encoding"))

_TYPES: Mapping[int, str] = {
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.PAYMENT_REQUIRED: "billing_error",
    529: "overloaded_error",
}


class ClientErrors(ABC):
    """The exceptions of ``sdk``, for answers that failed."""

    def __init__(self, sdk: ModuleType) -> None:
        self._timeout: Any = sdk.APITimeoutError
        self._connection: Any = sdk.APIConnectionError
        self._server: Any = sdk.InternalServerError
        self._status: Any = sdk.APIStatusError
        # Some of openai's names stand for modules that isinstance() would load.
        kinds = [kind for kind in vars(sdk).values() if issubclass(type(kind), type)]
        self._by_status: dict[object, Any] = {
            getattr(kind, "status_code", None): kind
            for kind in kinds
            if issubclass(kind, self._status)
        }

    def exception_for(
        self, answer: Answer, cause: BaseException | None, request: httpx2.Request
    ) -> BaseException:
        """The SDK's exception for a failed ``answer``: the one that it raised, where it raised one.

        Of no reply at all it is a 503, or the status that is known to be the reason.
        """
        error = self._exception(answer, cause, request)
        error.__dict__[ANSWER] = answer
        if isinstance(cause, WireFailure) and cause.__cause__ is not error:
            error.__cause__ = cause
        if answer.attempts:
            each = (f"{one.target} ({one.verdict or one.outcome})" for one in answer.attempts)
            error.add_note(f"failsoft tried {', '.join(each)}; request {answer.request_id}")
        return error

    @abstractmethod
    def raised(self, answer: Answer, cause: Exception, request: httpx2.Request) -> BaseException:
        """The SDK's exception for one that is not failsoft's own."""

    @abstractmethod
    def unreadable(self, cause: BadReply, request: httpx2.Request) -> BaseException:
        """That for a 200 that is no reply."""

    def in_band(self, cause: WireFailure, request: httpx2.Request) -> BaseException:
        """That for an error that came under a 200."""
        return self._status_error(response_of(cause, request), f"failsoft: {cause.detail}")

    def body_of(self, response: httpx2.Response) -> Any:
        """The body as the SDK's exceptions have it."""
        try:
            return response.json()
        except ValueError:
            return response.text

    def _exception(
        self, answer: Answer, cause: BaseException | None, request: httpx2.Request
    ) -> BaseException:
        if isinstance(cause, Exception) and not isinstance(cause, WireFailure):
            return self.raised(answer, cause, request)
        return self._made(answer, cause, request)

    def _made(
        self, answer: Answer, cause: BaseException | None, request: httpx2.Request
    ) -> BaseException:
        """The exception for what failsoft saw itself."""
        if isinstance(cause, TimedOut) or (cause is None and _out_of_time(answer)):
            own = cause.__cause__ if cause else None  # of a limit of the caller's own
            expired: BaseException = self._timeout(request=request)
            return own if isinstance(own, self._timeout) else expired
        if not isinstance(cause, WireFailure):
            return self._not_called(answer, request)
        if isinstance(cause, BadReply):
            return self.unreadable(cause, request)
        return self._failed(cause, request)

    def _failed(self, cause: WireFailure, request: httpx2.Request) -> BaseException:
        status = cause.status
        if status is None or not (status >= HTTPStatus.MULTIPLE_CHOICES or cause.body):
            message = f"failsoft: the answer broke off: {cause.detail}"
            broken: BaseException = self._connection(message=message, request=request)
            return broken
        if status == HTTPStatus.OK:
            return self.in_band(cause, request)
        return self._status_error(response_of(cause, request), f"failsoft: {cause.detail}")

    def _not_called(self, answer: Answer, request: httpx2.Request) -> BaseException:
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
        return self._status_error(response_of(failure, request), message)

    def _status_error(self, response: httpx2.Response, message: str) -> BaseException:
        status = response.status_code
        other = self._server if status >= HTTPStatus.INTERNAL_SERVER_ERROR else self._status
        kind = self._by_status.get(status, other)
        error: BaseException = kind(message, response=response, body=self.body_of(response))
        return error


def response_of(failure: WireFailure, request: httpx2.Request) -> httpx2.Response:
    """The reply that failed so, as the SDK keeps it, which is not to repeat the request."""
    kept = {k: v for k, v in failure.headers.items() if k.lower() not in _OF_THE_WIRE}
    body = failure.body
    return httpx2.Response(
        failure.status or HTTPStatus.OK,
        headers={**kept, "x-should-retry": "false"},
        content=json.dumps(body) if isinstance(body, Mapping) else body,
        request=request,
    )


def _out_of_time(answer: Answer) -> bool:
    return answer.verdict is not None and answer.verdict.reason == "deadline"
