"""What a translation is made by: the service's habits, the table of efforts, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = [
    "DEFAULT_EFFORTS",
    "LEAST_THINKING_TOKENS",
    "ChatFormat",
    "Efforts",
    "Translated",
    "Unfit",
]

LEAST_THINKING_TOKENS = 1024
"""The smallest ``thinking.budget_tokens`` that the Messages API takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFormat:
    """What one OpenAI-compatible service takes; the defaults are OpenAI's own.

    Where it takes no images, files or JSON schema, a request with one does not fit. The other
    fields are left out for a service that does not take them. One without ``takes_text_parts``
    gets several texts as one, with a blank line between them. One with ``nine_letter_tool_ids``
    takes ids of tool calls of nine letters and digits alone (Mistral), one with
    ``signed_tool_calls`` wants the signature that it gave a call back with it (Gemini).
    """

    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    takes_images: bool = True
    takes_files: bool = True
    takes_json_schema: bool = True
    takes_parallel_tool_calls: bool = True
    takes_reasoning_effort: bool = True
    takes_user: bool = True
    takes_text_parts: bool = True
    nine_letter_tool_ids: bool = False
    signed_tool_calls: bool = False


class Translated(NamedTuple):
    """A body in the other dialect, and in plain words what was changed or dropped on the way."""

    body: dict[str, Any]
    changes: tuple[str, ...]


class Unfit(ValueError):
    """A body cannot be said in the other dialect; ``field`` is the place, ``tools[0].type`` say."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} has no counterpart in the other dialect")
        self.field = field


@dataclass(frozen=True, slots=True)
class Efforts:
    """Budgets of thought in tokens, by the name of the effort, from small to large.

    >>> DEFAULT_EFFORTS.named(5000), DEFAULT_EFFORTS.budget("medium")
    ('medium', 8192)
    """

    # The figures that Google documents for its OpenAI-compatible endpoint.
    budgets: tuple[tuple[str, int], ...] = (("low", 1024), ("medium", 8192), ("high", 24_576))

    def named(self, budget: int) -> str:
        """The least effort whose budget is not below ``budget``, else the largest."""
        for name, tokens in self.budgets:
            if budget <= tokens:
                return name
        return self.budgets[-1][0]

    def budget(self, effort: str) -> int:
        """The budget of ``effort``; of one that the table does not have, the largest."""
        return dict(self.budgets).get(effort, self.budgets[-1][1])

    def budget_within(self, effort: str, max_tokens: object) -> int | None:
        """That budget, so that ``max_tokens`` leaves a fifth to the answer where it can.

        ``None`` where ``max_tokens`` has no room for thought at all.
        """
        budget = self.budget(effort)
        if not isinstance(max_tokens, int) or budget < max_tokens * 4 // 5:
            return budget
        if max_tokens <= LEAST_THINKING_TOKENS:
            return None
        return min(budget, max(LEAST_THINKING_TOKENS, max_tokens * 4 // 5))


DEFAULT_EFFORTS = Efforts()
