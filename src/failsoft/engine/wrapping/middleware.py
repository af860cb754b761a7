"""What the SDK calls once for each request of a wrapped client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from anthropic import APIRequest

from failsoft.engine.portal import Portal
from failsoft.engine.wrapping.body import AsyncBody, BlockingBody, with_body
from failsoft.engine.wrapping.calls import Calls, Streamed, model_in
from failsoft.engine.wrapping.others import Others
from failsoft.engine.wrapping.pipe import Reply
from failsoft.engine.wrapping.replies import AsyncReply, BlockingReply

__all__ = ["AsyncMiddleware", "BlockingMiddleware"]

# What the request in this context ended with. The SDK takes a lost connection for a reason to run
# all of it again where a copy of the client says max_retries.
_ended: ContextVar[tuple[str, BaseException] | None] = ContextVar("failsoft_ended", default=None)


class AsyncMiddleware:
    """For ``AsyncAnthropic``. ``others`` takes what is no request for a message."""

    def __init__(self, calls: Calls, others: Others) -> None:
        self._calls = calls
        self._others = others

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

        with _Ending(request):
            if not request.stream:
                return (await self._calls.plain(request, model, send)).response
            begun = await self._calls.streamed(request, model, send)
        if isinstance(begun, Streamed):
            return with_body(begun, AsyncBody(begun))
        return begun.response


class BlockingMiddleware:
    """For ``Anthropic``: the engine runs in a thread of its own, each attempt in another."""

    def __init__(self, calls: Calls, others: Others) -> None:
        self._calls = calls
        self._others = others
        self.portal = Portal("wrapped client")

    def __call__(self, request: APIRequest, call_next: Callable[[APIRequest], Any]) -> Any:
        """The SDK's reply to a request; raises what the SDK raises."""
        model = model_in(request)
        if model is None:
            return self._others.ask_blocking(request, call_next)
        _raise_if_ended(request)

        async def send(attempt: APIRequest, seconds: float | None) -> Reply:
            return await BlockingReply.of(call_next, attempt, seconds)

        with _Ending(request):
            if not request.stream:
                return self.portal.wait(self._calls.plain(request, model, send)).response
            begun = self.portal.wait(self._calls.streamed(request, model, send))
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
