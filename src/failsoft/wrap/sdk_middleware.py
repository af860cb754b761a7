"""The middleware that a wrapped SDK client calls once a request, and the body it returns."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

import httpx2
from anthropic import APIRequest, APIResponse, AsyncAnthropic, AsyncAPIResponse
from anthropic._resource import AsyncAPIResource, SyncAPIResource

from failsoft.config.loading import load_settings
from failsoft.config.settings import Settings
from failsoft.engine.blocking import Portal
from failsoft.engine.client import Failsoft
from failsoft.errors import SettingError
from failsoft.providers.models import chain_specs
from failsoft.wrap.answer_of import ANSWER
from failsoft.wrap.attempts import Passed
from failsoft.wrap.body_streams import AsyncBody, BlockingBody, replaced
from failsoft.wrap.calls import Calls
from failsoft.wrap.client_copy import refuse_replaced
from failsoft.wrap.pipe import Streamed
from failsoft.wrap.replies import AsyncReply, BlockingReply, Reply
from failsoft.wrap.sdk_attempts import (
    RAW_HEADER,
    Client,
    SdkAttempt,
    asked,
    asked_blocking,
    read_by_sdk,
    read_by_sdk_blocking,
    unread,
)
from failsoft.wrap.sdk_calls import SdkRequests, client_of, model_in

__all__ = [
    "AsyncBody",
    "AsyncMiddleware",
    "BlockingBody",
    "BlockingMiddleware",
    "settings_of",
    "wired",
    "with_body",
]


_PROVIDER = "anthropic"


def with_body(begun: Streamed, body: AsyncBody | BlockingBody) -> Any:
    """The SDK's reply with ``body`` in place of the wire's."""
    response = replaced(begun.reply.http, body)
    body.response = weakref.ref(response)
    return _with_http(begun.reply.hand_over(), response)


def _given(reply: Reply, request: APIRequest, client: Client) -> Any:
    """The SDK's reply to a request that was answered at once."""
    http = reply.http
    if request.headers.get(RAW_HEADER) == "stream" and reply.status < HTTPStatus.BAD_REQUEST:
        later = replaced(http, httpx2.ByteStream(http.content))
        later.elapsed = http.elapsed
        return _with_http(reply.hand_over(), later)
    return _for_sdk(reply.hand_over(), request, client)


def _for_sdk(response: Any, request: APIRequest, client: Client) -> Any:
    """``response`` as the SDK's retries know it: a bare one (``cast_to``) is never an error."""
    if not isinstance(response, httpx2.Response) or response.is_success:
        return response
    kind = AsyncAPIResponse if isinstance(client, AsyncAnthropic) else APIResponse
    return kind(
        raw=response,
        cast_to=request.cast_to,
        client=client,
        stream=request.stream,
        stream_cls=request.stream_cls,
        options=request.options,
        retries_taken=request.retries_taken,
    )


def _with_http(given: Any, response: httpx2.Response) -> Any:
    if isinstance(given, httpx2.Response):
        return response
    given.http_response = response
    return given


# What the request in this context ended with. The SDK takes a lost connection for a reason to run
# all of it again where a copy of the client says max_retries.
_ended: ContextVar[tuple[str, BaseException] | None] = ContextVar("failsoft_ended", default=None)


class _Middleware:
    """What both have. ``client`` stands for the one that calls where that cannot be found.

    It goes first: the caller's own middleware then runs for each attempt, as it does without
    failsoft. Its ``bounded`` goes last, where all others see a reply that was read.
    """

    bounded: Any

    def __init__(self, calls: Calls, requests: SdkRequests, client: Client) -> None:
        self._calls = calls
        self._requests = requests
        self._client = client
        self._max_bytes = calls.max_bytes

    def around(self, given: Iterable[Any]) -> list[Any]:
        """The middleware of a client that was ``given`` these. One that has it keeps its place."""
        others = [one for one in given if one != self.bounded]
        return [*([] if self in others else [self]), *others, self.bounded]


class AsyncMiddleware(_Middleware):
    """For ``AsyncAnthropic``. All but requests for a message are left to the SDK."""

    async def __call__(
        self, request: APIRequest, call_next: Callable[[APIRequest], Awaitable[Any]]
    ) -> Any:
        """The SDK's reply to a request; raises what the SDK raises."""
        client = client_of(call_next, self._client)
        model = model_in(request)
        if model is None:
            return _for_sdk(await call_next(request), request, client)
        _raise_if_ended(request)

        async def send(one: APIRequest, seconds: float | None) -> Reply:
            attempt = SdkAttempt(one, client, seconds, self._max_bytes)
            return AsyncReply(await asked(call_next, attempt), attempt)

        try:
            with _Ending(request):
                asking = self._requests.asking(request, model, client, send)
                if not request.stream:
                    return _given(await self._calls.plain(asking), request, client)
                begun = await self._calls.streamed(asking)
        except Passed as passed:
            return passed.given()
        if isinstance(begun, Streamed):
            return with_body(begun, AsyncBody(begun))
        return _given(begun, request, client)

    async def bounded(
        self, request: APIRequest, call_next: Callable[[APIRequest], Awaitable[Any]]
    ) -> Any:
        """The reply to a request for a whole message, read no further than an answer may go."""
        if not _is_read_at_once(request):
            return await call_next(request)
        return await read_by_sdk(await call_next(unread(request)), self._max_bytes)


class BlockingMiddleware(_Middleware):
    """For ``Anthropic``: the engine runs in a thread of its own, each attempt in another."""

    def __init__(self, calls: Calls, requests: SdkRequests, client: Client) -> None:
        super().__init__(calls, requests, client)
        self.portal = Portal("wrapped client")

    def __call__(self, request: APIRequest, call_next: Callable[[APIRequest], Any]) -> Any:
        """The SDK's reply to a request; raises what the SDK raises."""
        client = client_of(call_next, self._client)
        model = model_in(request)
        if model is None:
            return _for_sdk(call_next(request), request, client)
        _raise_if_ended(request)

        async def send(one: APIRequest, seconds: float | None) -> Reply:
            attempt = SdkAttempt(one, client, seconds, self._max_bytes)
            return await BlockingReply.of(partial(asked_blocking, call_next, attempt), attempt)

        try:
            with _Ending(request):
                asking = self._requests.asking(request, model, client, send)
                if not request.stream:
                    reply = self.portal.wait(self._calls.plain(asking))
                    return _given(reply, request, client)
                begun = self.portal.wait(self._calls.streamed(asking))
        except Passed as passed:
            return passed.given()
        if isinstance(begun, Streamed):
            return with_body(begun, BlockingBody(begun, self.portal))
        return _given(begun, request, client)

    def bounded(self, request: APIRequest, call_next: Callable[[APIRequest], Any]) -> Any:
        """The reply to a request for a whole message, read no further than an answer may go."""
        if not _is_read_at_once(request):
            return call_next(request)
        return read_by_sdk_blocking(call_next(unread(request)), self._max_bytes)


def _is_read_at_once(request: APIRequest) -> bool:
    if request.stream or request.headers.get(RAW_HEADER) == "stream":
        return False
    return model_in(request) is not None


class _Ending:
    """Remembers what a request failed with."""

    def __init__(self, request: APIRequest) -> None:
        self._key = request.options.idempotency_key

    def __enter__(self) -> None:
        _ended.set(None)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and self._key is not None:
            _ended.set((self._key, error))


def _raise_if_ended(request: APIRequest) -> None:
    ended = _ended.get()
    if request.retries_taken and ended and ended[0] == request.options.idempotency_key:
        raise ended[1]


def settings_of(client: Client, given: Settings | None) -> tuple[str, Settings]:
    """The provider that ``client`` calls, and the settings by which its calls fail soft."""
    settings = given or load_settings(providers={_PROVIDER}).settings
    if not client.base_url.host:  # it is found at the first request, as Google Cloud's is
        return _PROVIDER, settings
    own = replace(settings.anthropic, base_url=str(client.base_url))
    return _PROVIDER, replace(settings, anthropic=own)


def wired(client: Client, ai: Failsoft, *, chain: Sequence[str], route: str) -> Client:
    """A copy of ``client`` whose requests go through ``ai``. Raises SettingError."""
    if any(isinstance(one, _Middleware) for one in client.middleware):
        raise SettingError("client", "is wrapped already: wrap the one it was made of")
    refuse_replaced(client, SyncAPIResource, AsyncAPIResource)
    runtime = ai._runtime  # noqa: SLF001 - the engine behind it
    requests = SdkRequests(client)
    calls = Calls(
        runtime,
        ai.notices,
        chain=chain_specs(chain),
        route=route,
        account=requests.account,
        provider=_PROVIDER,
    )
    middleware: _Middleware
    if isinstance(client, AsyncAnthropic):
        middleware = AsyncMiddleware(calls, requests, client)
    else:
        middleware = blocking = BlockingMiddleware(calls, requests, client)
        weakref.finalize(blocking, blocking.portal.close)
    made = client.copy(middleware=middleware.around(client.middleware))
    made._strict_response_validation = client._strict_response_validation  # noqa: SLF001 - a copy forgets it
    return _kept(made, middleware)


def _kept(client: Client, middleware: _Middleware) -> Client:
    """``client``, whose copies are wrapped too, and whose failures the SDK does not repeat."""
    copied, repeats = client.copy, client._should_retry_exception  # noqa: SLF001 - its own retries

    @wraps(copied)
    def copy(**changes: Any) -> Client:
        given = changes.get("middleware", ())
        if "middleware" in changes and isinstance(given, Iterable | None):
            changes["middleware"] = middleware.around(given or ())
        return _kept(copied(**changes), middleware)

    def should_retry(error: BaseException) -> tuple[bool, httpx2.Response | None]:
        return (False, None) if _is_ours(error) else repeats(error)

    vars(client).update(copy=copy, with_options=copy, _should_retry_exception=should_retry)
    return client


def _is_ours(error: BaseException | None) -> bool:
    """Whether failsoft gave up on a request, and ``error`` says so; all that helps was tried."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if hasattr(error, ANSWER):
            return True
        seen.add(id(error))
        error = error.__cause__
    return False
