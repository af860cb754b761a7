"""Whole answers: a chat completion as a message of the Messages API, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.chat_stream import made_up_id, reasoning_in, stop_text, text_of_parts
from failsoft.dialects.json_values import (
    json_text,
    list_in,
    mapping_in,
    messages_tool_id,
    text_in,
    tool_input,
)
from failsoft.dialects.token_usage import chat_usage, finish_reason, messages_usage, stop_reason

__all__ = ["arguments_of", "completion_of", "message_of"]


def message_of(completion: Mapping[str, Any]) -> dict[str, Any]:
    """The message that a chat completion's first choice is; it never raises.

    Reasoning comes first as unsigned ``thinking``, then text, a refusal as text, the tool calls.

    >>> said = {"role": "assistant", "content": "Hi"}
    >>> choice = {"index": 0, "message": said, "finish_reason": "stop"}
    >>> message = message_of({"id": "c1", "model": "m", "choices": [choice]})
    >>> message["content"], message["stop_reason"]
    ([{'type': 'text', 'text': 'Hi'}], 'end_turn')
    """
    first = next(iter(list_in(completion, "choices")), None)
    choice: Mapping[str, Any] = first if isinstance(first, Mapping) else {}
    said, ident = mapping_in(choice, "message"), text_in(completion, "id")
    calls = _tool_uses(said, ident)
    refusal = text_in(said, "refusal")
    stop = stop_reason(choice.get("finish_reason"), called=bool(calls), refused=bool(refusal))
    sequence = stop_text(choice) if stop else None
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": text_in(completion, "model"),
        "content": _spoken(said, refusal) + calls,
        "stop_reason": "stop_sequence" if sequence is not None and stop == "end_turn" else stop,
        "stop_sequence": sequence,
        "stop_details": None,
        "usage": messages_usage(mapping_in(completion, "usage")),
    }


def _spoken(said: Mapping[str, Any], refusal: str) -> list[dict[str, Any]]:
    content = said.get("content")
    parts = [("text", content)] if isinstance(content, str) else text_of_parts(content)
    blocks: list[dict[str, Any]] = []
    for kind, text in [("thinking", reasoning_in(said)), *parts, ("text", refusal)]:
        if not text:
            continue
        if blocks and blocks[-1]["type"] == kind:
            blocks[-1][kind] += text
        elif kind == "thinking":
            blocks.append({"type": "thinking", "thinking": text, "signature": ""})
        else:
            blocks.append({"type": "text", "text": text})
    return blocks


def _tool_uses(said: Mapping[str, Any], answer: str) -> list[dict[str, Any]]:
    calls = [call for call in list_in(said, "tool_calls") if isinstance(call, Mapping)]
    if function := mapping_in(said, "function_call"):
        calls = [{"function": function}]
    uses = []
    for number, call in enumerate(calls):
        function = mapping_in(call, "function")
        use = {
            "type": "tool_use",
            "id": messages_tool_id(text_in(call, "id") or made_up_id(answer, number)),
            "name": text_in(function, "name"),
            "input": tool_input(function.get("arguments")),
        }
        signed = mapping_in(call, "extra_content")
        uses.append({**use, "extra_content": signed} if signed else use)
    return uses


def completion_of(message: Mapping[str, Any], *, model: str, created: int = 0) -> dict[str, Any]:
    """The chat completion that a message is, by the name of ``model``; it never raises.

    ``created`` is in seconds since 1970. Thinking is in ``reasoning_content``; its signature,
    redacted thinking, citations and blocks of the provider's own tools are left out.

    >>> text = {"type": "text", "text": "Hi"}
    >>> said = completion_of({"content": [text], "stop_reason": "end_turn"}, model="m")
    >>> said["choices"][0]["message"], said["choices"][0]["finish_reason"]
    ({'role': 'assistant', 'content': 'Hi', 'refusal': None}, 'stop')
    """
    blocks = [block for block in list_in(message, "content") if isinstance(block, Mapping)]
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    text = _joined(blocks, "text")
    said: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
    }
    if thought := _joined(blocks, "thinking"):
        said["reasoning_content"] = thought
    if calls:
        said["tool_calls"] = calls
    finish = finish_reason(message.get("stop_reason"))
    return {
        "id": text_in(message, "id"),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": chat_usage(mapping_in(message, "usage")),
    }


def _joined(blocks: list[Mapping[str, Any]], kind: str) -> str:
    return "".join(text_in(block, kind) for block in blocks if block.get("type") == kind)


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": text_in(block, "name"), "arguments": arguments_of(block)}
    call = {"id": text_in(block, "id"), "type": "function", "function": function}
    signed = mapping_in(block, "extra_content")
    return {**call, "extra_content": signed} if signed else call


def arguments_of(block: Mapping[str, Any]) -> str:
    """The input of a ``tool_use`` block as a call's arguments."""
    given = block.get("input")
    if isinstance(given, str):  # no JSON, as the model sent it
        return given
    try:
        return json_text({} if given is None else given)
    except ValueError:
        return "{}"
