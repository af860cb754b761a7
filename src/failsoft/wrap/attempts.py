"""One attempt of a wrapped client: a call of the SDK, and what the SDK's own retries would mend.

A token that was revoked is replaced, a connection of an event loop that is gone is left for a new
one, and a limit of the caller's own is known as the caller's: none of them is a model's failure.
The SDK reads a whole reply at once, however long it is: here it is read no further than an answer
may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing
from copy import copy
from http import HTTPStatus
from typing import Any, NamedTuple

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

from failsoft.classify.wire_errors import TimedOut, Timer

__all__ = [
    "RAW_HEADER",
    "CallerLimits",
    "Client",
    "Passed",
    "SdkAttempt",
    "asked",
    "asked_blocking",
    "http_of",
    "read_bounded",
    "read_bounded_blocking",
    "read_by_sdk",
    "read_by_sdk_blocking",
    "unread",
]

Client = Anthropic | AsyncAnthropic
SdkResponse = APIResponse[Any] | AsyncAPIResponse[Any] | httpx2.Response

RAW_HEADER = "X-Stainless-Raw-Response"
"""Where the SDK notes that a caller wants the reply itself: "raw", or "stream" to read it later."""

# The SDK's own default.
_CONNECT_SECONDS = 5.0

# The engine's own timer ends an attempt; the limit of its thread's connection is the net under it.
_NET_SECONDS = 1.0

# Idle connections that a pool of the SDK's may have kept from an event loop that is gone.
_MOST_IDLE = 100

# What the SDK raises of a call, or of its arguments; all else is of the caller's own middleware.
_OF_THE_SDK = (AnthropicError, httpx2.HTTPError, TypeError, ValueError)


class Passed(BaseException):
    """Takes what the caller's own middleware made of a call past the engine, untouched.

    That is a value in place of a reply, or an ``error`` of its own. No model was at fault.
    """

    def __init__(self, value: object = None, error: Exception | None = None) -> None:
        super().__init__(value, error)
        self.value = value
        self.error = error

    def given(self) -> Any:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


class CallerLimits(NamedTuple):
    """The seconds that a caller grants each phase of a call; ``None`` is no limit."""

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None

    @classmethod
    def of(cls, request: APIRequest, client: Client) -> CallerLimits:
        """Those of the call, else of the client."""
        timeout = _timeout_of(request, client)
        if isinstance(timeout, httpx2.Timeout):
            return cls(timeout.connect, timeout.read, timeout.write, timeout.pool)
        return cls(timeout, timeout, timeout, timeout)

    def ended(self, error: BaseException, seconds: float) -> bool:
        """Whether ``error`` is one of these limits, of an attempt that has ``seconds`` itself."""
        for link in _causes(error):
            if isinstance(link, httpx2.ConnectTimeout):
                return (self.connect or _CONNECT_SECONDS) < _CONNECT_SECONDS
            if isinstance(link, httpx2.ReadTimeout):
                return self.read is not None and self.read < seconds
            if isinstance(link, httpx2.WriteTimeout):
                return self.write is not None and self.write < seconds
        return False


class SdkAttempt:
    """One attempt.

    ``seconds`` is the longest silence that the engine waits through, ``max_bytes`` the largest
    answer.
    """

    def __init__(
        self, request: APIRequest, client: Client, seconds: float | None, max_bytes: int
    ) -> None:
        self.request = request
        self.max_bytes = max_bytes
        self.client = client
        self.seconds = float("inf") if seconds is None else seconds
        self._limits = CallerLimits.of(request, client)
        self._left = _MOST_IDLE

    def bounded(self) -> APIRequest:
        """The request, with no limit of its connection far above the engine's own.

        A call in another thread cannot be ended.
        """
        net, own = self.seconds + _NET_SECONDS, self._limits
        bounded = copy(self.request)
        options = bounded.options = copy(self.request.options)
        options.timeout = httpx2.Timeout(
            connect=min(net, own.connect or _CONNECT_SECONDS),
            read=min(net, own.read or net),
            write=min(net, own.write or net),
            pool=min(net, own.pool or net),
        )
        options.headers = {**self._stated_timeouts(), **self.request.headers}
        return bounded

    def _stated_timeouts(self) -> dict[str, str | Omit]:
        """The headers that say the caller's limits, which the engine's would replace."""
        own = self.request.timeout
        stated = own.read if isinstance(own, httpx2.Timeout) else own
        read = self._limits.read
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

    def outlived(self, error: BaseException) -> bool:
        """Whether a connection failed because its event loop is gone; nothing was sent then."""
        if self._left and any(map(_is_dead_loop, _causes(error))):
            self._left -= 1
            return True
        return False

    def expired(self, error: Exception) -> TimedOut | None:
        """What the engine has to see of ``error`` where it is a limit of the caller's own."""
        if not self._limits.ended(error, self.seconds):
            return None
        return TimedOut(Timer.DEADLINE, self._limits.read or 0.0, full_period=False)

    def judged(self, error: Exception) -> BaseException:
        """What a call raised, as the engine has to see it."""
        if expired := self.expired(error):
            return expired
        links = list(_causes(error))
        if any(isinstance(link, RetryableError) for link in links):
            return Passed(error=error)  # a wish of middleware to the SDK's own retries
        known = any(isinstance(link, _OF_THE_SDK) for link in links)
        return error if known else Passed(error=error)


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


def http_of(response: Any) -> httpx2.Response:
    """The reply itself: the SDK gives it bare to ``cast_to=httpx2.Response``."""
    return response if isinstance(response, httpx2.Response) else response.http_response


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


async def read_bounded(http: httpx2.Response, max_bytes: int) -> bytes:
    """The body, unpacked; of a larger one as much as shows that it is larger."""
    if _is_read(http):
        return http.content
    parts = list[bytes]()
    try:
        async with aclosing(http.aiter_bytes()) as chunks:
            left = max_bytes
            async for chunk in chunks:
                parts.append(chunk)
                left -= len(chunk)
                if left < 0:
                    break
    finally:
        await http.aclose()
    return _keep(http, parts)


def read_bounded_blocking(http: httpx2.Response, max_bytes: int) -> bytes:
    """The same for ``Anthropic``."""
    if _is_read(http):
        return http.content
    parts = list[bytes]()
    with closing(http):
        left = max_bytes
        for chunk in http.iter_bytes():
            parts.append(chunk)
            left -= len(chunk)
            if left < 0:
                break
    return _keep(http, parts)


def _is_read(http: httpx2.Response) -> bool:
    return hasattr(http, "_content")


def _keep(http: httpx2.Response, parts: list[bytes]) -> bytes:
    http._content = b"".join(parts)  # noqa: SLF001 - as its own read() does
    return http._content  # noqa: SLF001


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


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _is_dead_loop(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "event loop is closed" in str(error).lower()
