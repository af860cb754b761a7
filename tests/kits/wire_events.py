"""Events of Anthropic's Messages API as they are on the wire, and a provider that plays them.

Its replies are read by the real wire exchange, in virtual time where the loop's time is virtual.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from failsoft.providers.anthropic_stream import AnthropicExchange
from failsoft.providers.protocol import ProviderCall

Part = bytes | float
Script = Callable[[ProviderCall], Iterable[Part]]


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


USAGE = {"input_tokens": 5, "output_tokens": 2}
START = event(
    "message_start",
    message={"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": USAGE},
)
PING = event("ping")
STOP = event("content_block_stop", index=0)


def block(**fields: Any) -> bytes:
    fields = fields or {"type": "text", "text": ""}
    return event("content_block_start", index=0, content_block=fields)


def delta(**fields: Any) -> bytes:
    return event("content_block_delta", index=0, delta=fields)


def text(said: str) -> bytes:
    return delta(type="text_delta", text=said)


def reason(stop_reason: str = "end_turn") -> bytes:
    return event("message_delta", delta={"stop_reason": stop_reason}, usage={"output_tokens": 7})


def end(stop_reason: str = "end_turn") -> bytes:
    return reason(stop_reason) + event("message_stop")


def whole(said: str = "Hello there.") -> list[Part]:
    return [START + block() + text(said) + STOP + end()]


class ScriptedReply:
    """A reply whose body is bytes, and seconds between them."""

    def __init__(self, parts: Iterable[Part], content_type: str = "text/event-stream") -> None:
        self.status = 200
        self.headers = {"content-type": content_type, "request-id": "req_upstream"}
        self.ended = False
        self._parts = iter(parts)

    async def read(self) -> bytes:
        for part in self._parts:
            if isinstance(part, bytes):
                return part
            await asyncio.sleep(part)
        self.ended = True
        return b""

    async def free(self) -> None:
        pass


class WireScripted:
    """A provider whose replies are scripts of bytes; a script is a function of the call."""

    def __init__(self, script: Script) -> None:
        self.models: list[str] = []
        self._script = script

    def exchange(self, call: ProviderCall) -> AnthropicExchange:
        async def send() -> ScriptedReply:
            self.models.append(call.target.model)
            return ScriptedReply(self._script(call))

        return AnthropicExchange(send, max_bytes=call.max_bytes)

    async def aclose(self) -> None:
        pass
