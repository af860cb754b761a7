"""Message formats translated into each other: Anthropic Messages and OpenAI Chat Completions.

Pure code: a body, an answer or an event goes in, its counterpart comes out. What becomes of each
field is in ``docs/dialects.md``.
"""

from __future__ import annotations

__all__: list[str] = []
