"""One attempt of a wrapped Anthropic client: a call of the SDK.

A token that was revoked is replaced. The SDK reads a whole reply at once, however long it is: here
it is read no further than an answer may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from http import HTTPStatus
from typing import Any

import httpx2
from anthropic import (
    Anthropic,
    AnthropicError,
    APIConnectionError,
    APIRequest,
    APIResponse,
    APITimeoutError,
    AsyncAnthropic,
    AsyncAPIResponse,
    NotGiven,
    Omit,
    RetryableError,
)

from failsoft.wrap.attempts import CallerLimits, ClientAttempt, Passed, causes
from failsoft.wrap.replies import http_of, read_bounded, read_bounded_blocking

__all__ = [
    "RAW_HEADER",
    "Client",
    "SdkAttempt",
    "asked",
    "asked_blocking",
    "read_by_sdk",
    "read_by_sdk_blocking",
    "unread",
]

Client = Anthropic | AsyncAnthropic
SdkResponse = APIResponse[Any] | AsyncAPIResponse[Any] | httpx2.Response

RAW_HEADER = "X-Stainless-Raw-Response"
"""Where the SDK notes that a caller wants the reply itself: "raw", or "stream" to read it later."""


class SdkAttempt(ClientAttempt):
    """One attempt; see :class:`ClientAttempt`."""

    raised = (AnthropicError, httpx2.HTTPError, TypeError, ValueError)

    def __init__(
        self, request: APIRequest, client: Client, seconds: float | None, max_bytes: int
    ) -> None:
        limits = CallerLimits.of(_timeout_of(request, client))
        super().__init__(limits, seconds, max_bytes, streams=request.stream)
        self.request = request
        self.client = client

    def bounded(self) -> APIRequest:
        """The request, with no limit of its connection far above the engine's own."""
        bounded = copy(self.request)
        options = bounded.options = copy(self.request.options)
        options.timeout = self.net()
        options.headers = {**self._stated_timeouts(), **self.request.headers}
        return bounded

    def _stated_timeouts(self) -> dict[str, str | Omit]:
        """The headers that say the caller's limits, which the engine's would replace."""
        own = self.request.timeout
        stated = own.read if isinstance(own, httpx2.Timeout) else own
        read = self.limits.read
        return {
            "x-stainless-timeout": str(stated),
            "x-stainless-read-timeout": Omit() if read is None else str(read),
        }

    def renewed(self, response: Any) -> bool:
        """Whether the client's token was refused, and the SDK will get a new one; only once."""
        http, client = http_of(response), self.client
        if http.status_code != HTTPStatus.UNAUTHORIZED or client.credentials is None:
            return False
        if not self.request.options.get_max_retries(client.max_retries):
            return False
        if not client._should_retry(http):  # noqa: SLF001 - it forgets the token
            return False
        self.request = copy(self.request)
        self.request.retries_taken += 1
        return True

    def judged(self, error: Exception) -> BaseException:
        """What a call raised, as the engine has to see it."""
        if any(isinstance(link, RetryableError) for link in causes(error)):
            return self.expired(error) or Passed(error=error)  # a wish to the SDK's own retries
        return super().judged(error)


async def asked(
    call_next: Callable[[APIRequest], Awaitable[Any]], attempt: SdkAttempt
) -> SdkResponse:
    """What the SDK's client returns for ``attempt``; raises what it raises."""
    while True:
        try:
            response = await call_next(attempt.request)
        except Exception as error:
            if attempt.outlived(error):
                continue
            judged = attempt.judged(error)
            if judged is error:
                raise
            raise judged from error
        reply = _reply(response)
        if not attempt.renewed(reply):
            return reply
        await http_of(response).aclose()


def asked_blocking(call_next: Callable[[APIRequest], Any], attempt: SdkAttempt) -> SdkResponse:
    """The same for ``Anthropic``."""
    while True:
        try:
            response = call_next(attempt.bounded())
        except Exception as error:
            judged = attempt.judged(error)
            if judged is error:
                raise
            raise judged from error
        reply = _reply(response)
        if not attempt.renewed(reply):
            return reply
        http_of(response).close()


def unread(request: APIRequest) -> APIRequest:
    """``request``, whose reply the SDK does not read."""
    changed = copy(request)
    changed.options = copy(request.options)
    changed.options.headers = {**request.headers, RAW_HEADER: "stream"}
    return changed


async def read_by_sdk(response: Any, max_bytes: int) -> Any:
    """``response``, read as the SDK would read it at once; raises what it would raise."""
    http = http_of(response)
    try:
        await read_bounded(http, max_bytes)
    except Exception as error:
        raise _of_the_sdk(error, http) from error
    return response


def read_by_sdk_blocking(response: Any, max_bytes: int) -> Any:
    """The same for ``Anthropic``."""
    http = http_of(response)
    try:
        read_bounded_blocking(http, max_bytes)
    except Exception as error:
        raise _of_the_sdk(error, http) from error
    return response


def _of_the_sdk(error: Exception, http: httpx2.Response) -> Exception:
    kind = APITimeoutError if isinstance(error, httpx2.TimeoutException) else APIConnectionError
    return kind(request=http.request)


def _reply(response: Any) -> SdkResponse:
    if isinstance(response, APIResponse | AsyncAPIResponse | httpx2.Response):
        return response
    raise Passed(response)


def _timeout_of(request: APIRequest, client: Client) -> float | httpx2.Timeout | None:
    timeout = request.timeout
    return client.timeout if isinstance(timeout, NotGiven) else timeout
