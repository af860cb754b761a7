"""What happened, as typed events, and what listens to them."""

from __future__ import annotations

__all__: list[str] = []
