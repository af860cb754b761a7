"""Anthropic's Messages API, spoken by failsoft itself: one POST, always streamed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.metadata import version

from failsoft.classify.failures import ReplyFailed
from failsoft.config.settings import ProviderSettings
from failsoft.providers import payload
from failsoft.providers.anthropic_reply import AnthropicExchange
from failsoft.providers.protocol import ProviderCall
from failsoft.providers.sessions import SessionPerLoop
from failsoft.providers.wire_reply import WireReply

__all__ = ["API_VERSION", "AnthropicWire"]

# What anthropic 2.12 asks for; a caller's own header overrides it.
API_VERSION = "2026-10-21"

_KEY_HEADERS = frozenset({"authorization", "x-api-key"})
# They belong to the connection, or to the body, and both are made here.
_NEVER_PASSED_ON = frozenset(
    ("connection", "content-encoding", "content-length", "host", "transfer-encoding")
)


class AnthropicWire:
    """The provider ``anthropic``; :mod:`failsoft.providers.protocol` is its contract.

    Several event loops may use one: each has connections of its own and closes them itself.
    Proxy and certificate variables of the environment are obeyed as the provider's SDK does, see
    :class:`~failsoft.providers.sessions.SessionPerLoop`.
    """

    def __init__(self, settings: ProviderSettings) -> None:
        self._url = settings.base_url.rstrip("/") + "/v1/messages"
        self._sessions = SessionPerLoop(self._url)
        key = settings.api_key or settings.auth_token
        self._key = {"authorization": f"Bearer {key}"} if key else {}
        self._defaults = {
            "user-agent": f"failsoft/{version('failsoft')}",
            "anthropic-version": API_VERSION,
        }

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        """Send one request when entered; see :class:`AnthropicExchange` for what it raises.

        Nothing is sent, and :class:`~failsoft.classify.failures.ReplyFailed` with status 401 is
        raised, where there is no key; :class:`ValueError` or :class:`TypeError`, where the body
        has no JSON form.
        """
        return AnthropicExchange(lambda: self._send(call))

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        await self._sessions.aclose()

    async def _send(self, call: ProviderCall) -> WireReply:
        headers = self._headers(call.headers)
        body = payload.encode({**call.body, "model": call.target.model, "stream": True})
        data = io.BytesIO(body)  # bytes would be written in one go, however large
        session = await self._sessions.get()
        return WireReply(await session.post(self._url, data=data, headers=headers))

    def _headers(self, callers: Mapping[str, str]) -> dict[str, str]:
        passed = {name.lower(): value for name, value in callers.items()}
        key = {} if _KEY_HEADERS & passed.keys() else self._key
        headers = {**self._defaults, **key, **passed}
        if not _KEY_HEADERS & headers.keys():
            raise ReplyFailed(
                "no API key is set: set ANTHROPIC_API_KEY, or api_key under [anthropic] in "
                "failsoft.toml",
                status=401,
            )
        for name in _NEVER_PASSED_ON:
            headers.pop(name, None)
        return headers | {"accept": "text/event-stream", "content-type": "application/json"}
