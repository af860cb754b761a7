"""Tokens used and reasons to stop, which each dialect counts and names in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.json_values import count_in, mapping_in

__all__ = ["chat_usage", "finish_reason", "is_finished", "messages_usage", "stop_reason"]

# OpenAI's own, then those that other services are known to send for the same.
_STOP_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "function_call": "tool_use",
    "eos": "end_turn",  # Together
    "model_length": "max_tokens",  # Mistral
    "max_tokens": "max_tokens",
    "end_turn": "end_turn",
}
# The answer broke off: OpenRouter's word for it and DeepSeek's.
_BROKEN_OFF = ("error", "insufficient_system_resource")
_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def is_finished(finish: object) -> bool:
    """Whether a choice with this ``finish_reason`` is whole."""
    return isinstance(finish, str) and finish not in ("", *_BROKEN_OFF)


def stop_reason(finish: object, *, called: bool, refused: bool) -> str | None:
    """The ``stop_reason`` for a ``finish_reason``; an unknown one stays as it is.

    Some services say ``stop`` where the model ``called`` a tool; where it ``refused`` in a text of
    its own, every service does.

    >>> stop_reason("stop", called=True, refused=False)
    'tool_use'
    """
    if not isinstance(finish, str) or not is_finished(finish):
        return None
    name = finish.lower()
    if refused or name.startswith("content_filter"):  # Gemini adds which: "content_filter: …"
        return "refusal"
    found = _STOP_REASONS.get(name, finish)
    return "tool_use" if called and found == "end_turn" else found


def finish_reason(stop: object) -> str | None:
    """The ``finish_reason`` for a ``stop_reason``, ``stop`` for an unknown one."""
    return _FINISH_REASONS.get(stop, "stop") if isinstance(stop, str) else None


def messages_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as the Messages API counts it: what was read from a cache is not in the input.

    >>> used = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
    >>> messages_usage({**used, "prompt_tokens_details": {"cached_tokens": 80}})
    {'input_tokens': 20, 'output_tokens': 7, 'cache_read_input_tokens': 80}
    """
    details = mapping_in(usage, "prompt_tokens_details")
    read = count_in(details, "cached_tokens") or count_in(usage, "prompt_cache_hit_tokens")
    written = count_in(details, "cache_write_tokens")
    prompt, total = count_in(usage, "prompt_tokens"), count_in(usage, "total_tokens")
    # Some count thought in the total alone (xAI, Gemini); it is output, and paid as such.
    output = max(count_in(usage, "completion_tokens"), total - prompt if prompt else 0)
    counted = {"input_tokens": max(prompt - read - written, 0), "output_tokens": output}
    if read:
        counted["cache_read_input_tokens"] = read
    if written:
        counted["cache_creation_input_tokens"] = written
    thought = count_in(mapping_in(usage, "completion_tokens_details"), "reasoning_tokens")
    return (
        {**counted, "output_tokens_details": {"thinking_tokens": thought}} if thought else counted
    )


def chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as Chat Completions counts it: the prompt is all of it, cached or not.

    >>> chat_usage({"input_tokens": 20, "output_tokens": 7, "cache_read_input_tokens": 80})
    {'prompt_tokens': 100, 'completion_tokens': 7, 'total_tokens': 107, \
'prompt_tokens_details': {'cached_tokens': 80}}
    """
    read = count_in(usage, "cache_read_input_tokens")
    written = count_in(usage, "cache_creation_input_tokens")
    prompt = count_in(usage, "input_tokens") + read + written
    output = count_in(usage, "output_tokens")
    counted: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": read},
    }
    if written:
        counted["prompt_tokens_details"]["cache_write_tokens"] = written
    thought = count_in(mapping_in(usage, "output_tokens_details"), "thinking_tokens")
    if thought:
        counted["completion_tokens_details"] = {"reasoning_tokens": thought}
    return counted
