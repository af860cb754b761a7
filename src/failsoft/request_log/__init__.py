"""The durable request log: what was asked, how far it is, what went out."""

from __future__ import annotations

__all__: list[str] = []
