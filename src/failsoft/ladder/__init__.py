"""The ladder: what is served when no model answers."""

from __future__ import annotations

__all__: list[str] = []
