"""A request of an Anthropic client, as the engine is asked it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx2
from anthropic import DEFAULT_MAX_RETRIES, Anthropic, APIRequest, AsyncAnthropic, NotGiven

from failsoft.engine.answer import Answer
from failsoft.providers.http_wire import key_in
from failsoft.providers.models import chain_specs
from failsoft.providers.sdk import SdkProvider, Send
from failsoft.wrap.calls import Account, Asking
from failsoft.wrap.replies import Reply
from failsoft.wrap.sdk_attempts import Client
from failsoft.wrap.sdk_errors import ERRORS

__all__ = ["SdkRequests", "account_of", "client_of", "model_in"]

_PATH = "/v1/messages"
_MOST_MIDDLEWARE = 64

# The plan makes them for each target.
_OF_THE_CALL = ("model", "stream")


def model_in(request: APIRequest) -> str | None:
    """The model that is asked, ``None`` where this is no request for a message."""
    if request.method.lower() != "post" or urlsplit(request.url).path != _PATH:
        return None
    model = _body_of(request).get("model")
    return model if isinstance(model, str) and model else None


def _body_of(request: APIRequest) -> Mapping[str, Any]:
    body = request.json
    return body if isinstance(body, dict | Mapping) else {}


def account_of(client: Client) -> Account:
    """The account of what ``client`` sends by itself.

    One that gets its tokens by a way of its own has one account at each address.
    """
    # Its other headers say the platform, which the SDK finds out off the event loop.
    headers = {**client.auth_headers, **client._custom_headers}  # noqa: SLF001 - none else has them
    return Account(key_in(headers), str(client.base_url))


def client_of(call_next: Callable[..., Any], otherwise: Client) -> Client:
    """The copy of a wrapped client that calls; the SDK itself shows none to its middleware.

    ``call_next`` closes over it, or over the next of other middleware. ``otherwise`` is for an SDK
    that is made in another way.
    """
    try:
        for _ in range(_MOST_MIDDLEWARE):
            names = call_next.__code__.co_freevars
            cells = dict(zip(names, call_next.__closure__ or (), strict=True))
            if "self" in cells:
                found = cells["self"].cell_contents
                return found if isinstance(found, Anthropic | AsyncAnthropic) else otherwise
            call_next = cells["call_next"].cell_contents
    except (AttributeError, KeyError, ValueError):
        pass
    return otherwise


class SdkRequests:
    """The requests for a message of one client and its copies."""

    def __init__(self, client: Client) -> None:
        self.account = account_of(client)
        """That of the client itself."""
        self._url = str(client.base_url).rstrip("/") + _PATH
        self._latest: tuple[tuple[object, ...], Account] | None = None

    def asking(self, request: APIRequest, model: str, client: Client, send: Send[Reply]) -> Asking:
        """The question of ``request``, which ``client`` makes."""
        given = _body_of(request).items()
        body = {name: value for name, value in given if name not in _OF_THE_CALL}
        provider = SdkProvider(request, model, send)
        return Asking(
            model=chain_specs([model])[0],
            streams=bool(request.stream),
            body=body,
            account=self._account(client, request.headers),
            provider=provider,
            failed=partial(self._failure, provider, request),
            max_tokens=body.get("max_tokens"),
            cap_seconds=_cap(request, client),
            retries=_retries(request, client),
        )

    def _account(self, client: Client, headers: Mapping[str, Any]) -> Account:
        """Of a request with these ``headers``, which go before what ``client`` sends by itself.

        Most calls are of the client that called before.
        """
        if key := key_in(headers):
            return Account(key, str(client.base_url))
        shown = (client, client.api_key, client.auth_token, client.base_url)
        latest = self._latest
        if latest is None or latest[0] != shown:
            latest = self._latest = (shown, account_of(client))
        return latest[1]

    def _failure(
        self,
        provider: SdkProvider[Reply],
        request: APIRequest,
        answer: Answer,
        cause: BaseException | None,
    ) -> BaseException:
        reply = provider.latest
        sent = reply.http.request if reply else httpx2.Request(request.method.upper(), self._url)
        return ERRORS.exception_for(answer, cause, sent)


def _cap(request: APIRequest, client: Client) -> float | None:
    """The seconds that the caller gives all of it: the call's own, else those of the client."""
    timeout = request.timeout
    if isinstance(timeout, NotGiven) and client._timeout_overridden:  # noqa: SLF001 - else the SDK's
        timeout = client.timeout
    return float(timeout) if isinstance(timeout, float | int) else None


def _retries(request: APIRequest, client: Client) -> int | None:
    """How often the caller lets one model be called again; ``None`` where it was not set."""
    retries = request.options.get_max_retries(client.max_retries)
    return retries if retries < DEFAULT_MAX_RETRIES else None
