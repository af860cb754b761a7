"""Anthropic's Messages API: one POST, always streamed."""

from __future__ import annotations

from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.http_wire import HttpProvider, WireReply
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["API_VERSION", "AnthropicWire"]

# What anthropic 2.12 asks for; a caller's own header overrides it.
API_VERSION = "2026-10-21"


class AnthropicWire(HttpProvider):
    """One service that speaks the Messages API; its contract is in :mod:`.protocol`."""

    _exchange = AnthropicExchange

    async def _send(self, call: ProviderCall) -> WireReply:
        headers = self._http.headers({"anthropic-version": API_VERSION}, call.headers)
        body = encode({**call.body, "model": call.target.model, "stream": True})
        return await self._http.post(
            f"{self._base_url}/v1/messages", body, headers, fresh=call.fresh
        )
