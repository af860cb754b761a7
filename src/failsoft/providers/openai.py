"""Chat Completions, as OpenAI and the services compatible with it speak them: always streamed."""

from __future__ import annotations

from failsoft.config.presets import Preset
from failsoft.config.services import Endpoint
from failsoft.dialects.chat_format import ChatFormat
from failsoft.providers.http_wire import HttpProvider, WireReply
from failsoft.providers.openai_stream import OpenAIExchange
from failsoft.providers.payload import encode
from failsoft.providers.protocol import ProviderCall

__all__ = ["OpenAIWire"]


class OpenAIWire(HttpProvider):
    """One service that speaks Chat Completions; :mod:`failsoft.providers.protocol` is its contract.

    The body of a call is one of Chat Completions, its events and message are of the Messages API.
    """

    _exchange = OpenAIExchange

    def __init__(self, service: Endpoint) -> None:
        super().__init__(service)
        self._url = f"{self._base_url}/chat/completions"
        self.form = _chat_format(service.preset)
        self._usage = service.preset.takes_stream_options

    async def _send(self, call: ProviderCall) -> WireReply:
        body = {**call.body, "model": call.target.model, "stream": True}
        if self._usage:
            body.setdefault("stream_options", {"include_usage": True})
        else:
            body.pop("stream_options", None)
        return await self._http.post(
            self._url, encode(body), self._http.headers({}, call.headers), fresh=call.fresh
        )


def _chat_format(preset: Preset) -> ChatFormat:
    """What a service takes of a request in Chat Completions."""
    return ChatFormat(
        max_tokens_field=preset.max_tokens_field,
        takes_images=preset.takes_images,
        takes_files=preset.takes_files,
        takes_json_schema=preset.takes_json_schema,
        takes_parallel_tool_calls=preset.takes_parallel_tool_calls,
        takes_reasoning_effort=preset.takes_reasoning_effort,
        takes_user=preset.takes_user,
        takes_text_parts=preset.takes_text_parts,
        nine_letter_tool_ids=preset.nine_letter_tool_ids,
        signed_tool_calls=preset.signed_tool_calls,
    )
