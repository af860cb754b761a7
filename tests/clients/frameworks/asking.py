"""What the programs of all frameworks ask, and how one of them is described."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
QUESTION = "What is escrow, and when does somebody who buys a house need it?"
MAX_TOKENS = 200


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to ask. ``ask(client, model, shown)`` puts what a user sees into ``shown``.

    ``tree`` is the root of the framework's own exceptions.
    """

    name: str
    is_async: bool
    streams: bool
    ask: Callable[[Any, str, list[str]], Awaitable[None] | None]
    tree: type[BaseException]


def no_spans() -> list[dict[str, Any]]:
    return []


@dataclass(frozen=True, kw_only=True)
class Program:
    """A framework's forms; ``spans`` returns the spans since the last call."""

    forms: tuple[Form, ...]
    spans: Callable[[], list[dict[str, Any]]] = field(default=no_spans)
