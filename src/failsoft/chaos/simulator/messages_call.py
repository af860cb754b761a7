"""A request of the Messages API, read as far as the simulator understands it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from failsoft.chaos.simulator.simulated_answer import (
    BadCallError,
    SimulatedCall,
    SimulatedTool,
    chosen_tools,
    prompt_tokens,
)

__all__ = ["check_messages_headers", "parse_messages_call", "prompt_of"]


def check_messages_headers(headers: Mapping[str, str]) -> None:
    """Any key will do, but a key and a version there must be."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if not (headers.get("x-api-key", "").strip() or bearer):
        raise BadCallError(401, "x-api-key header is required")
    if not headers.get("anthropic-version"):
        raise BadCallError(400, "anthropic-version: header is required")


def parse_messages_call(body: Mapping[str, Any]) -> SimulatedCall:
    """Check the fields that the API requires; all others are welcome, known or not."""
    model = _required(body, "model", str, "Input should be a valid string")
    max_tokens = _required(body, "max_tokens", int, "Input should be a valid integer")
    if max_tokens < 1:
        raise BadCallError(400, "max_tokens: Input should be greater than or equal to 1")
    messages = _messages(body)
    prompt, question = prompt_of(body), _text_of(messages[-1].get("content"))
    return SimulatedCall(
        model=model,
        max_tokens=max_tokens,
        stream=body.get("stream") is True,
        prompt=prompt,
        question=question,
        input_tokens=prompt_tokens(prompt),
        thinking=_of(body.get("thinking"), "type") in ("enabled", "adaptive"),
        tools=_tools(body, question, answers_tools=_answers_tools(messages[-1])),
        schema=_schema(body),
    )


def prompt_of(body: Mapping[str, Any]) -> str:
    """All that the model reads, as one text."""
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
    return " ".join(
        _text_of(block.get("content")) if block["type"] == "tool_result" else str(block.get("text"))
        for block in _blocks(content)
        if block["type"] in ("text", "tool_result")
    )


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and "type" in block]


def _tools(
    body: Mapping[str, Any], question: str, *, answers_tools: bool
) -> tuple[SimulatedTool, ...]:
    given = body.get("tools")
    tools = [
        SimulatedTool(name=tool.get("name"), schema=tool.get("input_schema", {}))
        for tool in (given if isinstance(given, list) else [])
        if isinstance(tool, dict)
    ]
    choice = body.get("tool_choice")
    kind, name = _of(choice, "type"), _of(choice, "name")
    forced = next((tool for tool in tools if kind == "tool" and tool.name == name), None)
    return chosen_tools(
        tools,
        choice=forced or ("any" if kind == "any" else "none" if kind == "none" else "auto"),
        question=question,
        answers_tools=answers_tools,
        parallel=_of(choice, "disable_parallel_tool_use") is not True,
    )


def _answers_tools(message: Mapping[str, Any]) -> bool:
    return any(block["type"] == "tool_result" for block in _blocks(message.get("content")))


def _schema(body: Mapping[str, Any]) -> Any:
    wanted = _of(body.get("output_config"), "format") or body.get("output_format")
    return _of(wanted, "schema") if _of(wanted, "type") == "json_schema" else None


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
