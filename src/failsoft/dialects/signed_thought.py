"""Thought in a history, as the Messages API takes it: signed, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.chat_format import Efforts, Translated

__all__ = ["think_within", "without_unsigned_thinking"]

_THOUGHT = ("thinking", "redacted_thinking")
_LEAST_TOP_P = 0.95  # the Messages API takes no less where a model thinks
_ON = ("enabled", "adaptive", "between_tools")


def without_unsigned_thinking(body: Mapping[str, Any]) -> Translated:
    """A Messages body that a target of Anthropic's takes after another provider's turns.

    Thought without a signature is dropped, and so is the signature of another provider's call
    (``extra_content``), and a blank text. Where the last assistant turn calls tools without
    signed thought, ``thinking`` is turned off: it would be refused. A body that needs neither is
    returned as it is. Never raises.

    >>> thought = {"type": "thinking", "thinking": "Well", "signature": ""}
    >>> turn = {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi"}]}
    >>> without_unsigned_thinking({"messages": [turn]}).changes
    ('thinking, signatures and blank texts of other providers dropped',)
    """
    messages = body.get("messages")
    if not isinstance(messages, list | tuple):
        return Translated(dict(body), ())
    fitted, changes = dict(body), []
    kept = [one for one in map(_own_thought, messages) if one is not None]
    if len(kept) < len(messages) or any(a is not b for a, b in zip(kept, messages, strict=False)):
        fitted["messages"] = kept
        changes.append("thinking, signatures and blank texts of other providers dropped")
    thinking = body.get("thinking")
    on = isinstance(thinking, Mapping) and thinking.get("type") in _ON
    if on and _calls_without_thought(kept):
        fitted["thinking"] = {"type": "disabled"}
        changes.append("thinking off: the last turn calls tools without signed thinking")
    return Translated(fitted, tuple(changes))


def think_within(body: dict[str, Any], effort: str, efforts: Efforts) -> list[str]:
    """Turn ``thinking`` on in a Messages body, with what is bound to it; what was changed.

    It stays off where the API would refuse it: in the middle of another provider's tool calls,
    with a tool that is forced, with too few ``max_tokens``.
    """
    budget = efforts.budget_within(effort, body.get("max_tokens"))
    off = f"reasoning_effort {effort} → no thinking"
    if budget is None:
        return [f"{off}: max_tokens leaves no room"]
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        return [f"{off}: a tool is forced"]
    if _calls_without_thought(body["messages"]):
        return [f"{off}: the last turn calls tools without signed thinking"]
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    changes = [f"reasoning_effort {effort} → thinking.budget_tokens {budget}"]
    for field, fits in (
        ("temperature", body.get("temperature") == 1),
        ("top_p", _at_least(body.get("top_p"), _LEAST_TOP_P)),
        ("top_k", False),
    ):
        if field in body and not fits:
            del body[field]
            changes.append(f"{field} dropped: the model thinks")
    return changes


def _at_least(value: object, least: float) -> bool:
    return isinstance(value, int | float) and value >= least


def _calls_without_thought(messages: list[Any] | tuple[Any, ...]) -> bool:
    """Whether the last assistant turn has a ``tool_use``, and no signed thought."""
    for message in reversed(messages):
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            kinds = [block.get("type") for block in _blocks(message) if not _is_unsigned(block)]
            return "tool_use" in kinds and not any(kind in kinds for kind in _THOUGHT)
    return False


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    several = content if isinstance(content, list | tuple) else ()
    return [block for block in several if isinstance(block, Mapping)]


def _own_thought(message: Any) -> Any:
    """The message without what other providers thought, ``None`` where nothing else is in it."""
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return message
    if not any(_is_foreign(block) or "extra_content" in block for block in _blocks(message)):
        return message
    content = [
        {field: value for field, value in block.items() if field != "extra_content"}
        if isinstance(block, Mapping)
        else block
        for block in message["content"]
        if not (isinstance(block, Mapping) and _is_foreign(block))
    ]
    return {**message, "content": content} if content else None


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")


def _is_foreign(block: Mapping[str, Any]) -> bool:
    """Whether the API would refuse it: unsigned thought, or the blank text before some calls."""
    text = block.get("text")
    blank = block.get("type") == "text" and isinstance(text, str) and not text.strip()
    return blank or _is_unsigned(block)
