"""Saved answers in a SQLite file: its rows, the search in them, and the thread that has them."""

from __future__ import annotations

__all__: list[str] = []
