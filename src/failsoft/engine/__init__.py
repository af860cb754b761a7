"""The asyncio engine that carries plans out."""

from __future__ import annotations

__all__: list[str] = []
