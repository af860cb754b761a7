"""Guards: the differences between two questions."""

from __future__ import annotations

__all__: list[str] = []
