"""Anthropic's Messages API: one POST, always streamed."""

from __future__ import annotations

from functools import partial

from failsoft.config.services import Endpoint
from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.http_wire import HttpWire, WireReply
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["API_VERSION", "AnthropicWire"]

# What anthropic 2.12 asks for; a caller's own header overrides it.
API_VERSION = "2026-10-21"


class AnthropicWire:
    """One service that speaks the Messages API; its contract is in :mod:`.protocol`."""

    def __init__(self, service: Endpoint) -> None:
        self._url = service.base_url.rstrip("/") + "/v1/messages"
        self._http = HttpWire(service)

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
        headers = self._http.headers({"anthropic-version": API_VERSION}, call.headers)
        body = encode({**call.body, "model": call.target.model, "stream": True})
        return await self._http.post(self._url, body, headers, fresh=call.fresh)
