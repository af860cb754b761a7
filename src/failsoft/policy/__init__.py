"""Decisions without I/O: the clock and the dice are passed in."""

from __future__ import annotations

__all__: list[str] = []
