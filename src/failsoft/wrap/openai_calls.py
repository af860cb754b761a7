"""A request of an openai client, as the engine is asked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import httpx2
from openai import DEFAULT_MAX_RETRIES, AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from failsoft.config.presets import PRESETS
from failsoft.config.services import service_of
from failsoft.config.settings import Settings
from failsoft.dialects.chat_format import Unfit
from failsoft.dialects.messages_request import messages_request
from failsoft.engine.answer import Answer
from failsoft.errors import SettingError
from failsoft.providers.http_wire import key_in
from failsoft.providers.models import chain_specs, host_of
from failsoft.providers.openai_sdk import OpenAISdkProvider, SendHttp
from failsoft.providers.payload import parsed
from failsoft.wrap.attempts import CallerLimits
from failsoft.wrap.calls import Account, Asking
from failsoft.wrap.openai_errors import ERRORS
from failsoft.wrap.replies import Reply

__all__ = ["ChatRequests", "Client", "chat_in", "limits_of", "provider_of", "specs_of"]

Client = OpenAI | AsyncOpenAI

_CHAT = "/chat/completions"
_LIMITS = ("max_completion_tokens", "max_tokens")


def chat_in(request: httpx2.Request) -> dict[str, Any] | None:
    """The body of a request for a chat completion, ``None`` where this is none."""
    if request.method != "POST" or not request.url.path.endswith(_CHAT):
        return None
    body = parsed(request.content.decode(errors="replace"))
    model = body.get("model") if isinstance(body, dict) else None
    return body if isinstance(model, str) and model else None


def provider_of(client: Client, settings: Settings) -> str:
    """The name of the service that ``client`` calls: a known one by its address, else openai."""
    if isinstance(client, AzureOpenAI | AsyncAzureOpenAI):
        return "azure"
    host = host_of(str(client.base_url))
    for name in dict.fromkeys((*settings.providers, *PRESETS)):
        service = service_of(name, settings)
        speaks = service.preset.protocol == "openai" and service.base_url
        if speaks and host_of(service.base_url) == host:
            return name
    return "openai"


def specs_of(chain: Sequence[str], provider: str, settings: Settings) -> tuple[str, ...]:
    """The targets of ``chain``: models of ``provider``, whose names may have slashes themselves.

    Raises :class:`SettingError` for a target of another provider that is known.
    """
    known = {*PRESETS, *settings.providers} - {provider}
    for spec in chain_specs(chain, provider):
        if spec.partition("/")[0] in known:
            raise SettingError("chain", f"a client of {provider} cannot call {spec}")
    own = f"{provider}/"
    return tuple(
        spec if spec.startswith(own) else own + spec for spec in chain_specs(chain, provider)
    )


def limits_of(request: httpx2.Request) -> CallerLimits:
    """The seconds that the caller grants each phase of a request."""
    known = request.extensions.get("timeout") or {}
    return CallerLimits(*(known.get(phase) for phase in CallerLimits._fields))


class ChatRequests:
    """The requests for a chat completion of one client and its copies, to ``provider``."""

    def __init__(self, client: Client, provider: str) -> None:
        self._provider = provider
        self.account = Account(_key(client, {}) or _own_key(client), _origin(client.base_url))
        """That of the client itself."""

    def asking(
        self,
        request: httpx2.Request,
        chat: Mapping[str, Any],
        client: Client,
        send: SendHttp[Reply],
    ) -> Asking:
        """What is asked by ``request``, which ``client`` makes."""
        provider = OpenAISdkProvider(request, chat, send)
        limits = limits_of(request)
        return Asking(
            model=f"{self._provider}/{chat['model']}",
            streams=chat.get("stream") is True,
            body=_as_messages(chat),
            chat=chat,
            account=Account(_key(client, request.headers), _origin(request.url)),
            provider=provider,
            failed=partial(_failure, provider, request),
            max_tokens=next(filter(None, map(chat.get, _LIMITS)), None),
            # A number of the SDK's is one limit for all phases.
            cap_seconds=limits.read if len(set(limits)) == 1 else None,
            retries=client.max_retries if client.max_retries < DEFAULT_MAX_RETRIES else None,
        )


def _as_messages(chat: Mapping[str, Any]) -> Mapping[str, Any]:
    """``chat`` as a request of the Messages API; without its tools where it has no counterpart."""
    try:
        return messages_request(chat).body
    except Unfit:
        return {"messages": chat.get("messages")}


def _failure(
    provider: OpenAISdkProvider[Reply],
    request: httpx2.Request,
    answer: Answer,
    cause: BaseException | None,
) -> BaseException:
    reply = provider.latest
    return ERRORS.exception_for(answer, cause, reply.http.request if reply else request)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _key(client: Client, headers: Mapping[str, Any]) -> str:
    """The key that a request shows; one that gets its tokens by a way of its own has none."""
    renewed = ("_api_key_provider", "_workload_identity_auth", "_azure_ad_token_provider")
    if any(getattr(client, name, None) is not None for name in renewed):
        return ""
    return key_in(headers)


def _own_key(client: Client) -> str:
    if own := key_in(client._custom_headers):  # noqa: SLF001 - none else has them
        return own
    azure = isinstance(client, AzureOpenAI | AsyncAzureOpenAI)
    return client.api_key if azure else f"Bearer {client.api_key}"
