"""Assembles one message of Anthropic's Messages API from the events of its stream.

The rules of assembly are those of the provider's own SDK, with one difference: nothing a stream can
contain makes it fail. What does not fit is left out of the message:

- an event or a delta of an unknown kind, or with a field of the wrong type, changes nothing;
- an unknown block is kept as it was started, an unknown field where it was;
- a second ``message_start`` changes nothing, content before the first one is kept;
- text for a block that never started goes to the latest text block, or opens one, so that what a
  person was shown is in the message, in the order in which it was shown; any other delta for such
  a block is dropped;
- tool input that is not JSON stays the text it is; JSON cut off is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from failsoft.providers.protocol import WireEvent

__all__ = ["MessageAssembler", "has_content"]


_NOTHING: Mapping[str, Any] = {}
_SET_BY_EVERY_MESSAGE_DELTA = ("stop_reason", "stop_sequence", "stop_details")
_NOT_OF_THE_MESSAGE = frozenset({"type", "delta", "usage"})


class MessageAssembler:
    """One message as it grows.

    >>> assembler = MessageAssembler()
    >>> assembler.add("message_start", {"message": {"role": "assistant", "content": []}})
    ''
    >>> assembler.add("content_block_start", {"index": 0, "content_block": {"type": "text"}})
    ''
    >>> delta = {"type": "text_delta", "text": "Hi"}
    >>> assembler.add("content_block_delta", {"index": 0, "delta": delta})
    'Hi'
    >>> assembler.message
    {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hi'}]}

    One that no longer ``grows`` keeps the blocks it has, without what is added to them.
    """

    def __init__(self) -> None:
        self.grows = True
        self._started = False
        self._fields: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: list[_Block] = []
        self._by_index: dict[int | None, _Block] = {}
        self._latest_text: _Block | None = None
        self._open_blocks: set[int | None] = set()

    @property
    def message(self) -> dict[str, Any]:
        """The message so far, empty before the first event. It takes time for its length."""
        if not (self._fields or self._blocks):
            return {}
        content = [block.assembled() for block in self._blocks]
        usage = {"usage": dict(self._usage)} if self._usage else _NOTHING
        return {**self._fields, "content": content, **usage}

    @property
    def stop_reason(self) -> object:
        """The message's own, whatever it is; ``None`` where it has none yet."""
        return self._fields.get("stop_reason")

    @property
    def concluded(self) -> bool:
        """Whether its stop reason came and all its blocks are closed: nothing of it is missing."""
        return self.stop_reason is not None and not self._open_blocks

    def has_place_for(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Whether the provider's own SDK can add the event: after its message and block began."""
        match kind:
            case "content_block_start" | "message_delta":
                return self._started
            case "content_block_delta" | "content_block_stop":
                index = _index(data)
                known = index is not None and 0 <= index < len(self._blocks)
                return self._started and (known or not self.grows)
        return True

    def add(self, kind: str, data: Mapping[str, Any]) -> str:
        """Take in one event of type ``kind``; the text it adds to the message's text blocks."""
        match kind:
            case "content_block_delta":
                delta = _object(data, "delta")
                return self._extend(_index(data), delta) if self.grows else _string(delta, "text")
            case "content_block_start":
                self._open_blocks.add(_index(data))
                return self._open(_index(data), _object(data, "content_block"))
            case "content_block_stop":
                self._open_blocks.discard(_index(data))
            case "message_start":
                return self._start(_object(data, "message"))
            case "message":  # a whole one, from an upstream that does not stream
                return self._start(data)
            case "message_delta":
                self._conclude(data)
        return ""

    def event(self, kind: str, data: Mapping[str, Any]) -> WireEvent:
        """Take in one event as :meth:`add` does, and say what it brought."""
        text = self.add(kind, data)
        return WireEvent(kind, data, bool(text) or has_content(kind, data), text)

    def _start(self, message: Mapping[str, Any]) -> str:
        if self._started:
            return ""
        self._started = True
        self._fields = {**message, **self._fields}
        self._usage = {**_object(message, "usage"), **self._usage}
        content = message.get("content")
        blocks = content if isinstance(content, list) else ()
        return "".join(
            self._open(i, block) for i, block in enumerate(blocks) if isinstance(block, dict)
        )

    def _open(self, index: int | None, fields: Mapping[str, Any]) -> str:
        if not self.grows:
            return ""
        block = self._by_index[index] = _Block(fields)
        self._blocks.append(block)
        if block.type == "text":
            self._latest_text = block
        if block.type == "fallback" and (model := _object(fields, "to").get("model")):
            self._fields["model"] = model  # the model that took over in the middle of the answer
        text = fields.get("text")
        return text if block.type == "text" and isinstance(text, str) else ""

    def _extend(self, index: int | None, delta: Mapping[str, Any]) -> str:
        block = self._by_index.get(index)
        if block is None and delta.get("type") == "text_delta":
            if self._latest_text is None:
                self._open(index, {"type": "text", "text": ""})
            block = self._latest_text
        return block.extend(delta) if block else ""

    def _conclude(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        if isinstance(delta, dict):
            self._fields |= dict.fromkeys(_SET_BY_EVERY_MESSAGE_DELTA) | _given(delta)
        self._fields |= _given({k: v for k, v in data.items() if k not in _NOT_OF_THE_MESSAGE})
        self._usage |= _given(_object(data, "usage"))  # totals so far, not increments


class _Block:
    """One content block. Its pieces are joined when the message is asked for, not one by one."""

    __slots__ = ("_citations", "_fields", "_input", "_pieces", "type")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.type = fields.get("type")
        self._fields = dict(fields)
        self._pieces: list[str] = []
        self._input: list[str] = []
        self._citations: list[Any] = []

    def extend(self, delta: Mapping[str, Any]) -> str:
        """Take in one delta; the text it adds, where this is a text block."""
        match delta.get("type"), self.type:
            case "text_delta", "text":
                return _append(self._pieces, delta.get("text"))
            case "thinking_delta", "thinking":
                _append(self._pieces, delta.get("thinking"))
            case "input_json_delta", str(kind) if kind.endswith("tool_use"):
                _append(self._input, delta.get("partial_json"))
            case "citations_delta", "text":
                self._citations.append(delta.get("citation"))
            case "signature_delta", "thinking":
                self._fields["signature"] = delta.get("signature")
            case "compaction_delta", "compaction":
                self._fields["content"] = delta.get("content")
                self._fields["encrypted_content"] = delta.get("encrypted_content")
        return ""

    def assembled(self) -> dict[str, Any]:
        fields = dict(self._fields)
        if self._pieces:
            name = str(self.type)  # the field that grows has the name of the block's type
            start = fields.get(name)
            fields[name] = (start if isinstance(start, str) else "") + _join(self._pieces)
        if self._input:
            fields["input"] = _tool_input(_join(self._input))
        if self._citations:
            first = fields.get("citations")
            fields["citations"] = (first if isinstance(first, list) else []) + self._citations
        return fields


def _string(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _append(pieces: list[str], piece: Any) -> str:
    if not isinstance(piece, str) or not piece:
        return ""
    pieces.append(piece)
    return piece


def _join(pieces: list[str]) -> str:
    pieces[:] = ["".join(pieces)]
    return pieces[0]


def _tool_input(text: str) -> Any:
    try:
        return from_json(text, allow_partial=True, allow_inf_nan=False)
    except ValueError:
        return text


def _index(data: Mapping[str, Any]) -> int | None:
    index = data.get("index")
    return index if type(index) is int else None


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else _NOTHING


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


_IN_A_DELTA: Mapping[object, tuple[str, ...]] = {
    "text_delta": ("text",),
    "thinking_delta": ("thinking", "estimated_tokens"),
    "input_json_delta": ("partial_json",),
    "citations_delta": ("citation",),
    "signature_delta": ("signature",),
    "compaction_delta": ("content", "encrypted_content"),
}
_IN_A_BLOCK = ("text", "thinking", "signature", "data", "content", "citations", "input")


def has_content(kind: str, data: Mapping[str, Any]) -> bool:
    """Whether the event brings some of the answer: pings, roles and empty deltas bring nothing.

    >>> has_content("content_block_delta", {"delta": {"type": "text_delta", "text": "Hi"}})
    True
    >>> has_content("content_block_delta", {"delta": {"type": "text_delta", "text": ""}})
    False
    """
    match kind:
        case "content_block_delta":
            delta = _object(data, "delta")
            return any(map(delta.get, _IN_A_DELTA.get(_string(delta, "type"), ())))
        case "content_block_start":
            return any(map(_object(data, "content_block").get, _IN_A_BLOCK))
        case "message" | "message_start":
            content = (data if kind == "message" else _object(data, "message")).get("content")
            blocks = content if isinstance(content, list) else ()
            return any(isinstance(b, dict) and any(map(b.get, _IN_A_BLOCK)) for b in blocks)
    return False
