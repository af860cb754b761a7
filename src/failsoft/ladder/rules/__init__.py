"""The parts of the rules: their files, their words, and how a question finds one."""

from __future__ import annotations

__all__: list[str] = []
