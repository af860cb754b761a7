"""A request of an openai client, as the engine is asked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import httpx2
from openai import DEFAULT_MAX_RETRIES, AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from failsoft.config.presets import PRESETS
from failsoft.config.services import service_of
from failsoft.config.settings import Settings
from failsoft.dialects.chat_format import Unfit
from failsoft.dialects.messages_request import messages_request
from failsoft.engine.answer import Answer
from failsoft.errors import SettingError
from failsoft.providers.http_wire import KEY_HEADERS, key_in
from failsoft.providers.models import chain_specs, host_of
from failsoft.providers.openai_sdk import CompletionProvider, ResponseProvider, SendHttp
from failsoft.providers.payload import parsed
from failsoft.providers.sdk import ClientProvider
from failsoft.wrap.attempts import CallerLimits
from failsoft.wrap.calls import Account, Asking
from failsoft.wrap.openai_errors import ERRORS
from failsoft.wrap.replies import Reply

__all__ = [
    "ChatRequests",
    "Client",
    "ModelCall",
    "limits_of",
    "provider_of",
    "question_in",
    "specs_of",
]

Client = OpenAI | AsyncOpenAI

# Tools of the Responses API that the caller runs himself.
_CLIENT_TOOLS = ("function", "custom", "local_shell", "apply_patch", "computer_use_preview")
_CHAT, _RESPONSES = "/chat/completions", "/responses"
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class ModelCall(NamedTuple):
    """The body of a request for an answer, and the model that it asks."""

    body: Mapping[str, Any]
    model: str
    is_chat: bool

    @property
    def streams(self) -> bool:
        """Whether the answer is to come as a stream of events."""
        return self.body.get("stream") is True


def question_in(request: httpx2.Request) -> ModelCall | None:
    """What ``request`` asks of a model, ``None`` where it asks for no answer."""
    path = request.url.path
    if request.method != "POST" or not path.endswith((_CHAT, _RESPONSES)):
        return None
    body, is_chat = parsed(request.content.decode(errors="replace")), path.endswith(_CHAT)
    if not isinstance(body, dict):
        return None
    model = body.get("model")
    if isinstance(model, str) and model:
        return ModelCall(body, model, is_chat)
    return None if is_chat else ModelCall(body, "prompt", is_chat=False)  # a prompt names a model


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
        self.account = Account(_own_key(client), _origin(client.base_url))
        """That of the client itself."""

    def asking(
        self,
        request: httpx2.Request,
        question: ModelCall,
        client: Client,
        send: SendHttp[Reply],
    ) -> Asking:
        """The question of ``request``, which ``client`` makes."""
        body, is_chat, limits = question.body, question.is_chat, limits_of(request)
        kind = CompletionProvider[Reply] if is_chat else ResponseProvider[Reply]
        provider = kind(request, question.model, body, send)
        return Asking(
            model=f"{self._provider}/{question.model}",
            streams=question.streams,
            body=_as_messages(body) if is_chat else _in_short(body),
            chat=body if is_chat else None,
            account=Account(_key(client, request.headers), _origin(request.url)),
            provider=provider,
            failed=partial(_failure, provider, request),
            max_tokens=next(filter(None, map(body.get, _LIMITS)), None),
            # A number of the SDK's is one limit for all phases.
            cap_seconds=limits.read if len(set(limits)) == 1 else None,
            retries=client.max_retries if client.max_retries < DEFAULT_MAX_RETRIES else None,
            stays=not is_chat,
        )


def _as_messages(chat: Mapping[str, Any]) -> Mapping[str, Any]:
    """``chat`` as a request of the Messages API; without its tools where it has no counterpart."""
    try:
        return messages_request(chat).body
    except Unfit:
        return {"messages": chat.get("messages")}


def _in_short(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the timers and the plan have to know of a request of the Responses API."""
    asked, reasoning = body.get("input"), body.get("reasoning")
    tools = body.get("tools")
    return {
        "system": body.get("instructions"),
        "messages": asked if isinstance(asked, list) else [{"role": "user", "content": asked}],
        "tools": [
            tool
            for tool in (tools if isinstance(tools, list) else ())
            if isinstance(tool, Mapping) and tool.get("type") not in _CLIENT_TOOLS
        ],
        "reasoning_effort": reasoning.get("effort") if isinstance(reasoning, Mapping) else None,
    }


def _failure(
    provider: ClientProvider[Reply],
    request: httpx2.Request,
    answer: Answer,
    cause: BaseException | None,
) -> BaseException:
    reply = provider.latest
    return ERRORS.exception_for(answer, cause, reply.http.request if reply else request)


def _origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _renews_keys(client: Client) -> bool:
    """Whether it gets its keys or tokens by a way of its own: they are one account's, then."""
    renewed = ("_api_key_provider", "_workload_identity_auth", "_azure_ad_token_provider")
    return any(getattr(client, name, None) is not None for name in renewed)


def _key(client: Client, headers: Mapping[str, str]) -> str:
    """The key that a request shows."""
    if _renews_keys(client):
        return ""
    return next(filter(None, map(headers.get, KEY_HEADERS)), "")


def _own_key(client: Client) -> str:
    """What the client shows by itself."""
    if _renews_keys(client):
        return ""
    if own := key_in(client._custom_headers):  # noqa: SLF001 - none else has them
        return own
    azure = isinstance(client, AzureOpenAI | AsyncAzureOpenAI)
    return client.api_key if azure else f"Bearer {client.api_key}"
