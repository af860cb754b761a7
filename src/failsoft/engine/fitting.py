"""A request as one target takes it: in its dialect, within its limits; or why it cannot take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from failsoft.dialects.chat_format import DEFAULT_EFFORTS, ChatFormat, Efforts
from failsoft.dialects.chat_request import chat_request, unfit_for_chat
from failsoft.dialects.messages_request import unfit_for_messages, without_unsigned_thinking
from failsoft.policy.target import Target

__all__ = ["PREFILL", "ToolTurns", "continues_assistant", "fit", "unfit"]

Body = Mapping[str, Any]

PREFILL = "messages"
"""The field of a request that continues the model's own words."""

# The provider's own minimum.
_LEAST_THINKING_TOKENS = 1024

# Turns of tools that are remembered: far more than are under way in one process.
_KNOWN_TURNS = 10_000


def continues_assistant(body: Body) -> bool:
    """Whether the model is asked to go on from its own words (a prefill), which some refuse."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, (dict, Mapping)) and last.get("role") == "assistant"


def unfit(body: Body, chat: Body | None, target: Target, form: ChatFormat | None) -> str | None:
    """The field of a request that ``target`` cannot take; ``None`` where it takes it.

    ``body`` is the request in Messages, ``chat`` in Chat Completions where it was sent so. ``form``
    is how the target writes Chat Completions, ``None`` for one that takes Messages.
    """
    if form is not None:
        return None if chat is not None else unfit_for_chat(body, form)
    if continues_assistant(body) and not target.accepts_prefill:
        return PREFILL
    return None if chat is None else unfit_for_messages(chat)


def fit(
    body: Body,
    chat: Body | None,
    target: Target,
    form: ChatFormat | None,
    efforts: Efforts = DEFAULT_EFFORTS,
) -> tuple[Body, tuple[str, ...]]:
    """The body as ``target`` takes it, and what was changed; the originals never are."""
    if form is None:
        turned, left_out = without_unsigned_thinking(body) if body.get("thinking") else (body, ())
        clamped, changes = _within_limit(turned, target.max_output_tokens)
        return clamped, (*left_out, *changes)
    if chat is not None:
        return _chat_within_limit(chat, target.max_output_tokens)
    clamped, changes = _within_limit(body, target.max_output_tokens)
    translated = chat_request(clamped, form, efforts)
    return translated.body, (*changes, *translated.changes)


def _within_limit(body: Body, limit: int | None) -> tuple[Body, tuple[str, ...]]:
    wanted = body.get("max_tokens")
    if limit is None or not isinstance(wanted, int) or wanted <= limit:
        return body, ()
    fitted, changes = {**body, "max_tokens": limit}, [f"max_tokens {wanted} → {limit}"]
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if isinstance(thinking, Mapping) and isinstance(budget, int) and budget >= limit:
        # The provider wants it below max_tokens. Each keeps its share, so that there is an answer.
        share = max(_LEAST_THINKING_TOKENS, budget * limit // wanted)
        fitted["thinking"] = {**thinking, "budget_tokens": min(share, limit - 1)}
        changes.append(f"thinking.budget_tokens {budget} → {min(share, limit - 1)}")
    return fitted, tuple(changes)


def _chat_within_limit(chat: Body, limit: int | None) -> tuple[Body, tuple[str, ...]]:
    fitted, changes = chat, list[str]()
    for field in ("max_completion_tokens", "max_tokens"):
        wanted = chat.get(field)
        if limit is not None and isinstance(wanted, int) and wanted > limit:
            fitted = {**fitted, field: limit}
            changes.append(f"{field} {wanted} → {limit}")
    return fitted, tuple(changes)


class ToolTurns:
    """Which target asked for which use of a tool, so that it is the first to see the result."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}

    def remember(self, message: Body, target: Target) -> None:
        """Keep who made ``message``, where that ends in the use of tools."""
        if message.get("stop_reason") != "tool_use":
            return
        for call_id in _ids(message.get("content"), "tool_use", "id"):
            while len(self._targets) >= _KNOWN_TURNS:
                self._targets.pop(next(iter(self._targets)), None)
            self._targets[call_id] = target.id

    def first(self, chain: tuple[Target, ...], body: Body) -> tuple[Target, ...]:
        """``chain``, led by the target of it that made the turn whose tools' results come now."""
        messages = body.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        if not self._targets or not isinstance(last, Mapping):
            return chain
        ids = _ids(last.get("content"), "tool_result", "tool_use_id")
        made_by = next(filter(None, map(self._targets.get, ids)), None)
        leading = [target for target in chain if target.id == made_by]
        return (*leading, *(target for target in chain if target.id != made_by))


def _ids(content: object, kind: str, field: str) -> Sequence[str]:
    blocks = content if isinstance(content, list) else ()
    known = (b.get(field) for b in blocks if isinstance(b, Mapping) and b.get("type") == kind)
    return [one for one in known if isinstance(one, str)]
