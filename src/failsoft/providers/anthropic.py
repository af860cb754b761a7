"""Anthropic's Messages API: one POST, always streamed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from failsoft.classify.wire_errors import ReplyFailed
from failsoft.config.settings import ProviderSettings
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.http_wire import KEY_HEADERS, HttpWire, WireReply
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["API_VERSION", "AnthropicWire"]

# What anthropic 2.12 asks for; a caller's own header overrides it.
API_VERSION = "2026-10-21"


class AnthropicWire:
    """The provider ``anthropic``; :mod:`failsoft.providers.protocol` is its contract."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._url = settings.base_url.rstrip("/") + "/v1/messages"
        self._http = HttpWire(
            self._url,
            follow_redirects_to=settings.follow_redirects_to or (),
            base_url_setting="ANTHROPIC_BASE_URL",
            redirects_setting="anthropic.follow_redirects_to",
        )
        key = settings.api_key or settings.auth_token
        self._ours = {"anthropic-version": API_VERSION}
        if key:
            self._ours["authorization"] = f"Bearer {key}"

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        """Send one request when entered; see :class:`AnthropicExchange` for what it raises.

        Nothing is sent, and :class:`~failsoft.classify.wire_errors.ReplyFailed` with status 401 is
        raised, where there is no key; :class:`ValueError` or :class:`TypeError`, where the body
        has no JSON form.
        """
        return AnthropicExchange(partial(self._send, call), max_bytes=call.max_bytes)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Idempotent."""
        await self._http.aclose()

    async def _send(self, call: ProviderCall) -> WireReply:
        headers = self._headers(call.headers)
        body = encode({**call.body, "model": call.target.model, "stream": True})
        return await self._http.post(self._url, body, headers, fresh=call.fresh)

    def _headers(self, callers: Mapping[str, str]) -> dict[str, str]:
        headers = self._http.headers(self._ours, callers)
        if not KEY_HEADERS & headers.keys():
            raise ReplyFailed(
                "no API key is set: set ANTHROPIC_API_KEY, or give api_key to ProviderSettings",
                status=401,
            )
        return headers
