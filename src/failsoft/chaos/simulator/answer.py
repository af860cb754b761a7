"""What the simulated model says: the same to the same prompt, for the same seed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any, Final

from failsoft.chaos.simulator.call import Call

__all__ = ["Answer", "Block", "compose"]

_WORDS: Final = 40
_ECHOED: Final = 8
_SENTENCES: Final = (
    "The short answer is that it depends on the figures you start from.",
    "Begin with what is known for certain and write it down.",
    "Each step can be checked on its own before the next one begins.",
    "Most of the difficulty lies in the details that are easy to overlook.",
    "A small example usually settles whether the idea holds.",
    "Two things matter here: what changes, and what must stay the same.",
    "If the first attempt fails, the reason is worth more than the result.",
    "Compare both cases side by side and the difference becomes plain.",
    "Nothing in this needs to be decided today.",
    "Ask someone who did this last year what surprised them.",
)
_EXAMPLES: Final[Mapping[str, Any]] = {
    "boolean": True,
    "integer": 1,
    "null": None,
    "number": 1,
    "object": {},
}
_THOUGHT: Final = "The question is clear enough, so a plain answer in a few sentences will do."


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One content block: how it starts, the deltas that follow, and what they add up to."""

    start: Mapping[str, Any]
    deltas: tuple[Mapping[str, Any], ...]
    stop: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, before it is put on the wire."""

    id: str
    model: str
    blocks: tuple[Block, ...]
    stop_reason: str
    input_tokens: int
    stop_details: Mapping[str, Any] | None = None

    @property
    def contents(self) -> int:
        """Its content deltas."""
        return sum(len(block.deltas) for block in self.blocks)

    @property
    def output_tokens(self) -> int:
        """One token for each delta, and never none: so the API counts an empty answer."""
        return max(1, self.contents)

    def stopped(
        self, reason: str, *, after: int, details: Mapping[str, Any] | None = None
    ) -> Answer:
        """The same answer, ended by the model itself after so many contents."""
        blocks: list[Block] = []
        for block in self.blocks:
            if after <= 0:
                break
            whole = after >= len(block.deltas) or block.start["type"] != "text"
            blocks.append(block if whole else _text_block(block.deltas[:after]))
            after -= len(block.deltas)
        return replace(self, blocks=tuple(blocks), stop_reason=reason, stop_details=details)


def compose(call: Call, *, seed: int) -> Answer:
    """Answer a call: thinking first if it is enabled, then a forced tool's input, or text."""
    digest = sha256(f"{seed}/{call.model}/{call.prompt}".encode()).hexdigest()
    rng = Random(digest)  # noqa: S311 - repeatable, not secret
    blocks = [_thinking(digest)] if call.thinking else []
    spent = sum(len(block.deltas) for block in blocks)
    if call.tool is not None:
        blocks.append(_tool_use(call.tool, call.question, digest))
        reason = "tool_use"
    else:
        pieces = _pieces(_text(call.question, rng))
        room = max(1, call.max_tokens - spent)
        reason = "end_turn" if len(pieces) <= room else "max_tokens"
        blocks.append(_text_block([_text_delta(piece) for piece in pieces[:room]]))
    return Answer(
        id=f"msg_01{digest[:22]}",
        model=call.model,
        blocks=tuple(blocks),
        stop_reason=reason,
        input_tokens=call.input_tokens,
    )


def _text(question: str, rng: Random) -> str:
    echo = " ".join(question.split()[:_ECHOED])
    parts = [f"You asked: “{echo}”."]
    for sentence in rng.sample(_SENTENCES, len(_SENTENCES)):
        if sum(len(part.split()) for part in parts) >= _WORDS:
            break
        parts.append(sentence)
    return " ".join(parts)


def _pieces(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _text_delta(piece: str) -> Mapping[str, Any]:
    return {"type": "text_delta", "text": piece}


def _text_block(deltas: Sequence[Mapping[str, Any]]) -> Block:
    return Block(
        start={"type": "text", "text": ""},
        deltas=tuple(deltas),
        stop={"type": "text", "text": "".join(delta["text"] for delta in deltas)},
    )


def _thinking(digest: str) -> Block:
    signature = f"Eq{digest}=="
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(_THOUGHT)]
    return Block(
        start={"type": "thinking", "thinking": "", "signature": ""},
        deltas=(*deltas, {"type": "signature_delta", "signature": signature}),
        stop={"type": "thinking", "thinking": _THOUGHT, "signature": signature},
    )


def _tool_use(tool: Mapping[str, Any], question: str, digest: str) -> Block:
    value = _example(tool.get("input_schema", {}), question)
    block = {"type": "tool_use", "id": f"toolu_01{digest[22:44]}", "name": tool.get("name")}
    pieces = re.findall(r"(?s).{1,12}", json.dumps(value, ensure_ascii=False))
    return Block(
        start={**block, "input": {}},
        deltas=tuple({"type": "input_json_delta", "partial_json": piece} for piece in pieces),
        stop={**block, "input": value},
    )


def _example(schema: Any, question: str) -> Any:
    """A value that fits a JSON schema's types and enums; the question where text is wanted."""
    match schema:
        case {"enum": [first, *_]}:
            return first
        case {"type": "object", "properties": {**parts}}:
            return {name: _example(part, question) for name, part in parts.items()}
        case {"type": "array"}:
            return [_example(schema.get("items"), question)]
        case {"type": str(kind)}:
            return _EXAMPLES.get(kind, question)
        case _:
            return question
