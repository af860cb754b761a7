"""What the simulated model says: the same to the same prompt, for the same seed.

A request is read as far as the simulator understands the Messages API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any, Final

__all__ = [
    "BadCallError",
    "Block",
    "SimulatedAnswer",
    "SimulatedCall",
    "check_headers",
    "compose",
    "parse_body",
    "parse_call",
    "prompt_tokens",
]


_CHARS_A_TOKEN: Final = 4


class BadCallError(Exception):
    """The API would not take this request: the ``status`` and the message it would answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCall:
    """One request. ``tool`` is the tool it forces, ``question`` the text of its last message."""

    model: str
    max_tokens: int
    stream: bool
    prompt: str
    question: str
    input_tokens: int
    thinking: bool
    tool: Mapping[str, Any] | None


def check_headers(headers: Mapping[str, str]) -> None:
    """Any key will do, but a key and a version there must be."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if not (headers.get("x-api-key", "").strip() or bearer):
        raise BadCallError(401, "x-api-key header is required")
    if not headers.get("anthropic-version"):
        raise BadCallError(400, "anthropic-version: header is required")


def parse_body(raw: bytes) -> Mapping[str, Any]:
    """The JSON object of a request's body."""
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        raise BadCallError(400, "The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise BadCallError(400, "Input should be a valid dictionary")
    return body


def parse_call(body: Mapping[str, Any]) -> SimulatedCall:
    """Check the fields that the API requires; all others are welcome, known or not."""
    model = _required(body, "model", str, "Input should be a valid string")
    max_tokens = _required(body, "max_tokens", int, "Input should be a valid integer")
    if max_tokens < 1:
        raise BadCallError(400, "max_tokens: Input should be greater than or equal to 1")
    messages = _messages(body)
    return SimulatedCall(
        model=model,
        max_tokens=max_tokens,
        stream=body.get("stream") is True,
        prompt=_prompt(body),
        question=_text_of(messages[-1].get("content")),
        input_tokens=prompt_tokens(body),
        thinking=_of(body.get("thinking"), "type") in {"enabled", "adaptive"},
        tool=_forced_tool(body),
    )


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """About how many tokens the prompt has: a quarter of its characters, tools included."""
    return max(1, len(_prompt(body)) // _CHARS_A_TOKEN)


def _prompt(body: Mapping[str, Any]) -> str:
    parts = [body[key] for key in ("system", "tools", "messages") if key in body]
    return json.dumps(parts, ensure_ascii=False, sort_keys=True)


def _required(body: Mapping[str, Any], key: str, kind: type, problem: str) -> Any:
    value = body.get(key)
    if value is None:
        raise BadCallError(400, f"{key}: Field required")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadCallError(400, f"{key}: {problem}")
    return value


def _messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages: list[Any] = _required(body, "messages", list, "Input should be a valid list")
    if not messages:
        raise BadCallError(400, "messages: at least one message is required")
    for n, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadCallError(400, f"messages.{n}: Input should be a valid dictionary")
        if "content" not in message:
            raise BadCallError(400, f"messages.{n}.content: Field required")
    return messages


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return " ".join(str(_of(block, "text")) for block in blocks if _of(block, "type") == "text")


def _forced_tool(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choice, tools = body.get("tool_choice"), body.get("tools")
    tools = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    match _of(choice, "type"):
        case "any":
            return tools[0] if tools else None
        case "tool":
            named = (tool for tool in tools if tool.get("name") == _of(choice, "name"))
            return next(named, None)
        case _:
            return None


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


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
class SimulatedAnswer:
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
    ) -> SimulatedAnswer:
        """The same answer, ended by the model itself after so many contents."""
        blocks: list[Block] = []
        for block in self.blocks:
            if after <= 0:
                break
            whole = after >= len(block.deltas) or block.start["type"] != "text"
            blocks.append(block if whole else _text_block(block.deltas[:after]))
            after -= len(block.deltas)
        return replace(self, blocks=tuple(blocks), stop_reason=reason, stop_details=details)


def compose(call: SimulatedCall, *, seed: int) -> SimulatedAnswer:
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
    return SimulatedAnswer(
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
