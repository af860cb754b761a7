"""One file a contestant: how it is set, and how it is asked. Nothing here needs failsoft.

Each module has ``connect(url)``, an async context manager of an object with two methods. ``ask``
returns the text of an answer; ``stream`` yields its pieces as they come. Where there is no whole
answer both raise: what they return or end without an error is what an application would take for
the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

__all__ = ["KEY", "LIMIT_SECONDS", "MAX_TOKENS", "MODELS", "Contestant", "NoAnswerError"]

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
MAX_TOKENS = 1024
KEY = "benchmark"
# For the peers whose own limit is minutes or none: failsoft's for a first word.
LIMIT_SECONDS = 15.0


class NoAnswerError(Exception):
    """What a contestant raises that tells failure otherwise."""


class Contestant(Protocol):
    """What is asked."""

    async def ask(self, question: str) -> str:
        """The text of the answer."""

    def stream(self, question: str) -> AsyncIterator[str]:
        """Its pieces."""
