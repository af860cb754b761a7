"""The request to a model: built once, and fitted anew to every target from the original."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from failsoft.policy.target import Target

__all__ = [
    "continues_assistant",
    "estimated_tokens",
    "fit",
    "may_have_effects",
    "message_body",
]

# English prose is about four characters a token; only the first-content timer is fed by it.
_CHARS_PER_TOKEN = 4

# Tools of these types are run by the client, whatever their name; every other typed tool is run
# by the provider.
_CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_")


def message_body(
    message: str | Sequence[Mapping[str, Any]],
    *,
    history: Iterable[Mapping[str, Any]],
    system: str | None,
    max_tokens: int,
) -> dict[str, Any]:
    """The provider's own fields for one user message after ``history``."""
    content = message if isinstance(message, str) else list(message)
    body: dict[str, Any] = {
        "max_tokens": max_tokens,
        "messages": [*history, {"role": "user", "content": content}],
    }
    if system is not None:
        body["system"] = system
    return body


def fit(body: Mapping[str, Any], target: Target) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """``body`` as ``target`` takes it, and what was changed; the original never is."""
    wanted, limit = body.get("max_tokens"), target.max_output_tokens
    if limit is not None and isinstance(wanted, int) and wanted > limit:
        change = f"max_tokens {wanted} → {limit}"
        return {**body, "max_tokens": limit}, (change,)
    return body, ()


def continues_assistant(body: Mapping[str, Any]) -> bool:
    """Whether the model is asked to go on from its own words (a prefill), which some refuse."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, Mapping) and last.get("role") == "assistant"


def may_have_effects(body: Mapping[str, Any]) -> bool:
    """Whether the provider runs tools for this request, so that sending it twice may do twice."""
    if body.get("mcp_servers"):
        return True
    tools = body.get("tools")
    if not tools:
        return False
    kinds = (tool.get("type") for tool in tools if isinstance(tool, Mapping))
    return any(isinstance(kind, str) and not kind.startswith(_CLIENT_TOOLS) for kind in kinds)


def estimated_tokens(body: Mapping[str, Any]) -> int:
    """A rough count of the input tokens in the text of ``body``."""
    chars = _chars(body.get("messages"))
    if system := body.get("system"):
        chars += _chars(system)
    return chars // _CHARS_PER_TOKEN


def _chars(part: Any) -> int:
    if isinstance(part, str):
        return len(part)
    if isinstance(part, dict):
        # Images and documents are base64: their length says nothing about tokens.
        return _chars(part.get("content") or part.get("text"))
    return sum(map(_chars, part)) if isinstance(part, list) else 0
