"""The middleware that a wrapped SDK client calls once a request, and the body it returns."""

from __future__ import annotations

import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import httpx2
from anthropic import APIRequest, AsyncAnthropic

from failsoft.engine.blocking import Portal
from failsoft.engine.client import Failsoft
from failsoft.errors import SettingError
from failsoft.wrap.answer_of import ANSWER
from failsoft.wrap.calls import Calls, Client, Streamed, account_of, client_of, model_in
from failsoft.wrap.plain_retries import Others
from failsoft.wrap.replies import AsyncReply, BlockingReply, Reply

__all__ = [
    "AsyncBody",
    "AsyncMiddleware",
    "BlockingBody",
    "BlockingMiddleware",
    "wired",
    "with_body",
]


# They were true of the bytes on the wire; these are unpacked.
_OF_THE_WIRE = ("content-encoding", "content-length")


def with_body(begun: Streamed, body: AsyncBody | BlockingBody) -> Any:
    """The SDK's reply with ``body`` in place of the wire's."""
    http = begun.reply.http
    headers = [(name, value) for name, value in http.headers.multi_items()]
    response = httpx2.Response(
        http.status_code,
        headers=[(name, value) for name, value in headers if name.lower() not in _OF_THE_WIRE],
        stream=body,
        request=http.request,
        extensions=http.extensions,
    )
    response.history = http.history
    body.response = weakref.ref(response)
    given = begun.reply.hand_over()
    given.http_response = response
    return given


def _no_response() -> None:
    """A reference to no response, until there is one."""


class _Body:
    """What both have. Dropping it unread ends the request, as closing it does.

    The response holds the body. The body's own reference to it is weak: a cycle would leave it to
    the garbage collector when a dropped stream ends.
    """

    def __init__(self, begun: Streamed) -> None:
        self.response: Callable[[], httpx2.Response | None] = _no_response
        self._begun = begun
        self._since = time.perf_counter()

    def _took(self, chunk: bytes) -> bytes:
        conclusion = self._begun.pipe.conclusion
        if conclusion is not None and (response := self.response()) is not None:
            response.extensions[ANSWER] = conclusion[0]
        return chunk

    def _closing(self) -> None:
        if (response := self.response()) is not None:
            response.elapsed = timedelta(seconds=time.perf_counter() - self._since)

    def __del__(self) -> None:
        self._begun.cancel()


class AsyncBody(_Body, httpx2.AsyncByteStream):
    """The body of an ``AsyncAnthropic``'s stream."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self._took(await self._begun.pipe.take()):
            yield chunk

    async def aclose(self) -> None:
        """End the request, wherever it is."""
        self._closing()
        await self._begun.aclose()


class BlockingBody(_Body, httpx2.SyncByteStream):
    """The body of an ``Anthropic``'s stream."""

    def __init__(self, begun: Streamed, portal: Portal) -> None:
        super().__init__(begun)
        self._portal = portal
        self._loop = portal.loop()

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._took(self._portal.wait(self._begun.pipe.take())):
            yield chunk

    def close(self) -> None:
        """End the request, wherever it is."""
        self._closing()
        if self._portal.runs(self._loop):
            self._portal.wait(self._begun.aclose())


# What the request in this context ended with. The SDK takes a lost connection for a reason to run
# all of it again where a copy of the client says max_retries.
_ended: ContextVar[tuple[str, BaseException] | None] = ContextVar("failsoft_ended", default=None)


class AsyncMiddleware:
    """For ``AsyncAnthropic``. ``others`` takes what is no request for a message."""

    def __init__(self, calls: Calls, others: Others, client: Client) -> None:
        self._calls = calls
        self._others = others
        self._client = client

    async def __call__(
        self, request: APIRequest, call_next: Callable[[APIRequest], Awaitable[Any]]
    ) -> Any:
        """The SDK's reply to a request; raises what the SDK raises."""
        model = model_in(request)
        if model is None:
            return await self._others.ask(request, call_next)
        _raise_if_ended(request)

        async def send(attempt: APIRequest, _: float | None) -> Reply:
            return AsyncReply(await call_next(attempt), stream=attempt.stream)

        account = self._calls.account(client_of(call_next, self._client), request.headers)
        with _Ending(request):
            if not request.stream:
                return (await self._calls.plain(request, model, account, send)).response
            begun = await self._calls.streamed(request, model, account, send)
        if isinstance(begun, Streamed):
            return with_body(begun, AsyncBody(begun))
        return begun.response


class BlockingMiddleware:
    """For ``Anthropic``: the engine runs in a thread of its own, each attempt in another."""

    def __init__(self, calls: Calls, others: Others, client: Client) -> None:
        self._calls = calls
        self._others = others
        self._client = client
        self.portal = Portal("wrapped client")

    def __call__(self, request: APIRequest, call_next: Callable[[APIRequest], Any]) -> Any:
        """The SDK's reply to a request; raises what the SDK raises."""
        model = model_in(request)
        if model is None:
            return self._others.ask_blocking(request, call_next)
        _raise_if_ended(request)

        async def send(attempt: APIRequest, seconds: float | None) -> Reply:
            return await BlockingReply.of(call_next, attempt, seconds)

        account = self._calls.account(client_of(call_next, self._client), request.headers)
        with _Ending(request):
            if not request.stream:
                return self.portal.wait(self._calls.plain(request, model, account, send)).response
            begun = self.portal.wait(self._calls.streamed(request, model, account, send))
        if isinstance(begun, Streamed):
            return with_body(begun, BlockingBody(begun, self.portal))
        return begun.response


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


def wired(client: Client, ai: Failsoft, *, chain: Sequence[str], route: str) -> Client:
    """A copy of ``client`` whose requests go through ``ai``. Raises SettingError."""
    if any(isinstance(one, AsyncMiddleware | BlockingMiddleware) for one in client.middleware):
        raise SettingError("client", "is wrapped already: wrap the one it was made of")
    core = ai._core  # noqa: SLF001 - the engine behind it
    calls = Calls(core, ai.notices, chain=chain, route=route, account=account_of(client))
    others = Others(client.max_retries, core.rng)
    if isinstance(client, AsyncAnthropic):
        return client.copy(
            max_retries=0, middleware=[*client.middleware, AsyncMiddleware(calls, others, client)]
        )
    blocking = BlockingMiddleware(calls, others, client)
    weakref.finalize(blocking, blocking.portal.close)
    return client.copy(max_retries=0, middleware=[*client.middleware, blocking])
