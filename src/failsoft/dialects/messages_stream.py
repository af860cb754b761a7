"""Reads the events of a Messages stream as the chunks of a Chat Completions stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.completion import arguments_of
from failsoft.dialects.json_values import list_in, mapping_in, text_in
from failsoft.dialects.token_usage import chat_usage, finish_reason

__all__ = ["MessagesStreamReader"]

_ENDS = ("message_stop", "soft_end")


class MessagesStreamReader:
    """One answer as it comes: an event's type and data in, parsed chunks out.

    ``model`` is the name that the chunks show (the message's own where it is empty), ``created``
    seconds since 1970. With ``include_usage`` a last chunk without choices has the usage. Thinking
    is in ``reasoning_content``; what Chat Completions has no place for (signatures, citations, the
    provider's own tools) is left out. Nothing in an event makes it fail. ``[DONE]`` is not part of
    it.

    >>> reader = MessagesStreamReader(model="m")
    >>> delta = {"type": "text_delta", "text": "Hi"}
    >>> [chunk] = reader.feed("content_block_delta", {"index": 0, "delta": delta})
    >>> chunk["choices"]
    [{'index': 0, 'delta': {'role': 'assistant', 'content': 'Hi'}, 'logprobs': None, \
'finish_reason': None}]
    """

    __slots__ = (
        "_calls", "_created", "_ended", "_finished", "_id", "_include_usage", "_model", "_spoke",
        "_usage",
    )  # fmt: skip

    def __init__(self, *, model: str = "", created: int = 0, include_usage: bool = False) -> None:
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._id = ""
        self._spoke = self._finished = self._ended = False
        self._calls: dict[object, _OpenCall] = {}  # by the index of their block
        self._usage: dict[str, Any] = {}

    def feed(self, kind: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks that one event brings, often none."""
        if kind == "content_block_delta":
            return self._delta(_index(data), mapping_in(data, "delta"))
        match kind:
            case "content_block_start":
                chunks = self._block(_index(data), mapping_in(data, "content_block"))
            case "content_block_stop":
                chunks = self._stop(_index(data))
            case "message_start":
                chunks = self._start(mapping_in(data, "message"))
            case "message_delta":
                chunks = self._conclude(mapping_in(data, "delta"), mapping_in(data, "usage"))
            case "message":  # a whole one, from an upstream that does not stream
                chunks = self._whole(data)
            case _:
                chunks = self._end() if kind in _ENDS else []
        return chunks

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        if not self._spoke:
            self._spoke = True
            delta = {"role": "assistant", **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._framed([choice])

    def _framed(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        chunk = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if self._include_usage:
            chunk["usage"] = None
        return chunk

    def _start(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._id = self._id or text_in(message, "id")
        self._model = self._model or text_in(message, "model")
        self._usage |= mapping_in(message, "usage")
        chunks = [] if self._spoke else [self._chunk({"content": ""})]
        for number, block in enumerate(list_in(message, "content")):
            if isinstance(block, Mapping):
                chunks += self._block(number, block)
        return chunks

    def _whole(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        chunks = self._start(message)
        for index in list(self._calls):
            chunks += self._stop(index)
        return chunks + self._conclude(message, {}) + self._end()

    def _block(self, index: object, block: Mapping[str, Any]) -> list[dict[str, Any]]:
        match block.get("type"):
            case "text" if text := text_in(block, "text"):
                return [self._chunk({"content": text})]
            case "thinking" if thought := text_in(block, "thinking"):
                return [self._chunk({"reasoning_content": thought})]
            case "tool_use":
                call = self._calls[index] = _OpenCall(len(self._calls), block)
                return [self._chunk({"tool_calls": [call.opening()]})]
        return []

    def _delta(self, index: object, delta: Mapping[str, Any]) -> list[dict[str, Any]]:
        match delta.get("type"):
            case "text_delta" if text := text_in(delta, "text"):
                return [self._chunk({"content": text})]
            case "thinking_delta" if thought := text_in(delta, "thinking"):
                return [self._chunk({"reasoning_content": thought})]
            case "input_json_delta" if piece := text_in(delta, "partial_json"):
                call = self._calls.get(index)
                return [self._chunk({"tool_calls": [call.argue(piece)]})] if call else []
        return []

    def _stop(self, index: object) -> list[dict[str, Any]]:
        """A call without arguments so far has those that it began with."""
        call = self._calls.get(index)
        if call is None or call.argued:
            return []
        return [self._chunk({"tool_calls": [call.argue(arguments_of(call.block))]})]

    def _conclude(self, delta: Mapping[str, Any], usage: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._usage |= {field: value for field, value in usage.items() if value is not None}
        finish = finish_reason(delta.get("stop_reason"))
        if finish is None or self._finished:
            return []
        self._finished = True
        return [self._chunk({}, finish)]

    def _end(self) -> list[dict[str, Any]]:
        if self._ended or not self._include_usage:
            return []
        self._ended = True
        return [{**self._framed([]), "usage": chat_usage(self._usage)}]


class _OpenCall:
    """One call of a tool: its number among the calls, and whether arguments were sent."""

    __slots__ = ("argued", "block", "number")

    def __init__(self, number: int, block: Mapping[str, Any]) -> None:
        self.number = number
        self.block = block
        self.argued = False

    def opening(self) -> dict[str, Any]:
        function = {"name": text_in(self.block, "name"), "arguments": ""}
        ident = text_in(self.block, "id")
        call = {"index": self.number, "id": ident, "type": "function", "function": function}
        signed = mapping_in(self.block, "extra_content")
        return {**call, "extra_content": signed} if signed else call

    def argue(self, piece: str) -> dict[str, Any]:
        self.argued = True
        return {"index": self.number, "function": {"arguments": piece}}


def _index(data: Mapping[str, Any]) -> int | None:
    index = data.get("index")
    return index if isinstance(index, int) else None
