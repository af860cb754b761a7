"""A request to the Messages API as far as the simulator understands it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["BadCallError", "Call", "check_headers", "parse_body", "parse_call", "prompt_tokens"]

_CHARS_A_TOKEN: Final = 4


class BadCallError(Exception):
    """The API would not take this request: the ``status`` and the message it would answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
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


def parse_call(body: Mapping[str, Any]) -> Call:
    """Check the fields that the API requires; all others are welcome, known or not."""
    model = _required(body, "model", str, "Input should be a valid string")
    max_tokens = _required(body, "max_tokens", int, "Input should be a valid integer")
    if max_tokens < 1:
        raise BadCallError(400, "max_tokens: Input should be greater than or equal to 1")
    messages = _messages(body)
    return Call(
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
