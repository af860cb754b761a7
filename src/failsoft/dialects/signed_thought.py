"""Thought in a history, as the Messages API takes it: signed, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.chat_format import Translated

__all__ = ["calls_without_thought", "without_unsigned_thinking"]

_ON = ("enabled", "adaptive", "between_tools")


def without_unsigned_thinking(body: Mapping[str, Any]) -> Translated:
    """A Messages body that a target of Anthropic's takes after another provider's turns.

    Thought without a signature is dropped. Where the last assistant turn calls tools without
    signed thought, ``thinking`` is turned off: it would be refused. A body that needs neither is
    returned as it is. Never raises.

    >>> thought = {"type": "thinking", "thinking": "Well", "signature": ""}
    >>> turn = {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi"}]}
    >>> without_unsigned_thinking({"messages": [turn]}).changes
    ('unsigned thinking in the history dropped',)
    """
    messages, changes = body.get("messages"), []
    if not isinstance(messages, list | tuple):
        return Translated(dict(body), ())
    kept = [one for one in map(_signed_only, messages) if one is not None]
    fitted = dict(body)
    if len(kept) < len(messages) or any(a is not b for a, b in zip(kept, messages, strict=False)):
        fitted["messages"] = kept
        changes.append("unsigned thinking in the history dropped")
    thinking = body.get("thinking")
    on = isinstance(thinking, Mapping) and thinking.get("type") in _ON
    if on and calls_without_thought(kept):
        fitted["thinking"] = {"type": "disabled"}
        changes.append("thinking off: the last turn calls tools without signed thinking")
    return Translated(fitted, tuple(changes))


def calls_without_thought(messages: list[Any] | tuple[Any, ...]) -> bool:
    """Whether the last assistant turn has a ``tool_use``, and no signed thought."""
    for message in reversed(messages):
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            blocks = _blocks(message)
            kinds = {block["type"] for block in blocks if isinstance(block.get("type"), str)}
            return "tool_use" in kinds and kinds.isdisjoint(("thinking", "redacted_thinking"))
    return False


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    several = content if isinstance(content, list | tuple) else ()
    return [block for block in several if isinstance(block, Mapping)]


def _signed_only(message: Any) -> Any:
    """The message itself where it has no unsigned thought, ``None`` where it has nothing else."""
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return message
    unsigned = [block for block in _blocks(message) if _is_unsigned(block)]
    if not unsigned:
        return message
    content = [block for block in message["content"] if block not in unsigned]
    return {**message, "content": content} if content else None


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")
