"""The HTTP client of a wrapped openai client: its requests for an answer go through the engine.

All else, and each attempt, is sent by the HTTP client that was there before, with its connections,
proxies, limits and hooks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, TypeVar

import httpx2
from openai import AsyncOpenAI
from openai._resource import AsyncAPIResource, SyncAPIResource

from failsoft.config.loading import OWN_PROVIDERS, load_settings
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.engine.blocking import Portal
from failsoft.engine.client import Failsoft
from failsoft.errors import SettingError
from failsoft.wrap.attempts import ClientAttempt, Passed
from failsoft.wrap.body_streams import AsyncBody, BlockingBody, replaced
from failsoft.wrap.calls import Calls
from failsoft.wrap.client_copy import refuse_replaced
from failsoft.wrap.openai_calls import (
    ChatRequests,
    Client,
    ModelCall,
    limits_of,
    provider_of,
    question_in,
    specs_of,
)
from failsoft.wrap.pipe import Streamed
from failsoft.wrap.replies import AsyncReply, BlockingReply, Reply

__all__ = ["AsyncSeam", "BlockingSeam", "settings_of", "wired"]

C = TypeVar("C", bound=Client)


class _Way:
    """What a wrapped client and its copies share."""

    def __init__(self, calls: Calls, requests: ChatRequests) -> None:
        self.calls = calls
        self.requests = requests
        self.portal = Portal("wrapped client")


def _nowhere(request: httpx2.Request) -> httpx2.Response:
    raise RuntimeError(f"{request.url} was to be sent by the client's own HTTP client")


class AsyncSeam(httpx2.AsyncClient):
    """In front of the ``inner`` HTTP client of an ``AsyncOpenAI``."""

    client: Callable[[], Client | None]

    def __init__(self, inner: httpx2.AsyncClient, way: _Way) -> None:
        super().__init__(
            transport=httpx2.MockTransport(_nowhere), trust_env=False, timeout=inner.timeout
        )
        self.inner = inner
        self.way = way
        self.build_request = inner.build_request  # type: ignore[method-assign]
        self._event_hooks = inner._event_hooks  # noqa: SLF001 - the SDK adds to them

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed."""
        return self.inner.is_closed

    async def aclose(self) -> None:
        """Close the client."""
        await self.inner.aclose()

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **how: Any
    ) -> httpx2.Response:
        """The reply to a request; raises what the SDK would raise."""
        client, question = self.client(), question_in(request)
        if client is None or question is None:
            return await self.inner.send(request, stream=stream, **how)
        calls = self.way.calls

        async def send(one: httpx2.Request, seconds: float | None) -> Reply:
            attempt = _attempt(one, question, seconds, calls.max_bytes)
            return AsyncReply(await self._asked(one, attempt, how), attempt)

        try:
            asking = self.way.requests.asking(request, question, client, send)
            if not asking.streams:
                return _given(await calls.plain(asking), stream=stream)
            begun = await calls.streamed(asking)
        except Passed as passed:
            raise passed.error or RuntimeError("no error was passed on") from None
        if isinstance(begun, Streamed):
            return _with_body(begun, AsyncBody(begun))
        return _given(begun, stream=stream)

    async def _asked(
        self, request: httpx2.Request, attempt: ClientAttempt, how: Mapping[str, Any]
    ) -> httpx2.Response:
        while True:
            try:
                return await self.inner.send(request, stream=True, **how)
            except Exception as error:
                if attempt.outlived(error):
                    continue
                judged = attempt.judged(error)
                if judged is error:
                    raise
                raise judged from error


class BlockingSeam(httpx2.Client):
    """In front of the ``inner`` HTTP client of an ``OpenAI``; the engine runs in a thread."""

    client: Callable[[], Client | None]

    def __init__(self, inner: httpx2.Client, way: _Way) -> None:
        super().__init__(
            transport=httpx2.MockTransport(_nowhere), trust_env=False, timeout=inner.timeout
        )
        self.inner = inner
        self.way = way
        self.build_request = inner.build_request  # type: ignore[method-assign]
        self._event_hooks = inner._event_hooks  # noqa: SLF001 - the SDK adds to them

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed."""
        return self.inner.is_closed

    def close(self) -> None:
        """Close the client."""
        self.inner.close()

    def send(self, request: httpx2.Request, *, stream: bool = False, **how: Any) -> httpx2.Response:
        """The reply to a request; raises what the SDK would raise."""
        client, question = self.client(), question_in(request)
        if client is None or question is None:
            return self.inner.send(request, stream=stream, **how)
        calls, portal = self.way.calls, self.way.portal

        async def send(one: httpx2.Request, seconds: float | None) -> Reply:
            attempt = _attempt(one, question, seconds, calls.max_bytes)
            return await BlockingReply.of(partial(self._asked, one, attempt, how), attempt)

        try:
            asking = self.way.requests.asking(request, question, client, send)
            if not asking.streams:
                return _given(portal.wait(calls.plain(asking)), stream=stream)
            begun = portal.wait(calls.streamed(asking))
        except Passed as passed:
            raise passed.error or RuntimeError("no error was passed on") from None
        if isinstance(begun, Streamed):
            return _with_body(begun, BlockingBody(begun, portal))
        return _given(begun, stream=stream)

    def _asked(
        self, request: httpx2.Request, attempt: ClientAttempt, how: Mapping[str, Any]
    ) -> httpx2.Response:
        bounded = httpx2.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            extensions={**request.extensions, "timeout": attempt.net().as_dict()},
        )
        try:
            return self.inner.send(bounded, stream=True, **how)
        except Exception as error:
            judged = attempt.judged(error)
            if judged is error:
                raise
            raise judged from error


def _attempt(
    request: httpx2.Request, question: ModelCall, seconds: float | None, max_bytes: int
) -> ClientAttempt:
    return ClientAttempt(limits_of(request), seconds, max_bytes, streams=question.streams)


def _given(reply: Reply, *, stream: bool) -> httpx2.Response:
    """The reply to a request that was answered at once."""
    http: httpx2.Response = reply.hand_over()
    if not stream or http.is_error:
        return http
    later = replaced(http, httpx2.ByteStream(http.content))
    later.elapsed = http.elapsed
    return later


def _with_body(begun: Streamed, body: AsyncBody | BlockingBody) -> httpx2.Response:
    response = replaced(begun.reply.hand_over(), body)
    body.response = weakref.ref(response)
    return response


def settings_of(client: Client, given: Settings | None) -> tuple[str, Settings]:
    """The provider that ``client`` calls, and the settings by which its calls fail soft."""
    settings = given or load_settings(providers={*OWN_PROVIDERS, "azure"}).settings
    name = provider_of(client, settings)
    own = replace(
        settings.providers.get(name) or NamedProviderSettings(), base_url=str(client.base_url)
    )
    return name, replace(settings, providers={**settings.providers, name: own})


def wired(client: C, ai: Failsoft, *, chain: Sequence[str], route: str) -> C:
    """A copy of ``client`` whose requests for an answer go through ``ai``. Raises SettingError."""
    http = client._client  # noqa: SLF001 - it has no other name
    if isinstance(http, AsyncSeam | BlockingSeam):
        raise SettingError("client", "is wrapped already: wrap the one it was made of")
    if not isinstance(http, httpx2.Client | httpx2.AsyncClient):
        raise SettingError("client", f"has an http_client of {type(http).__module__}, not httpx2")
    refuse_replaced(client, SyncAPIResource, AsyncAPIResource)
    if chain and getattr(client, "_provider", None) is not None:  # it signs the body
        raise SettingError("chain", "is not for a client that signs its requests")
    runtime = ai._runtime  # noqa: SLF001 - the engine behind it
    provider = provider_of(client, runtime.settings)
    requests = ChatRequests(client, provider)
    calls = Calls(
        runtime,
        ai.notices,
        chain=specs_of(chain, provider, runtime.settings),
        route=route,
        account=requests.account,
        provider=provider,
    )
    way = _Way(calls, requests)
    weakref.finalize(way, way.portal.close)
    return _copied(client, client.copy, way, {})


def _copied(client: C, copy_of: Callable[..., Any], way: _Way, changes: Mapping[str, Any]) -> C:
    """A copy of ``client`` with ``changes``, which is wrapped and whose copies are."""
    http: Any = changes.get("http_client") or client._client  # noqa: SLF001 - see above
    inner = http.inner if isinstance(http, AsyncSeam | BlockingSeam) else http
    kind: Any = AsyncSeam if isinstance(client, AsyncOpenAI) else BlockingSeam
    seam = kind(inner, way)
    made: C = copy_of(**{**changes, "http_client": seam})
    made._strict_response_validation = client._strict_response_validation  # noqa: SLF001 - a copy forgets it
    seam.client = weakref.ref(made)
    copied = made.copy

    @wraps(copied)
    def copy(**changes: Any) -> C:
        return _copied(made, copied, way, changes)

    vars(made).update(copy=copy, with_options=copy)
    return made
