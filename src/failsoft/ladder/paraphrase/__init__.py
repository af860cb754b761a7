"""What tells two questions apart."""

from __future__ import annotations

__all__: list[str] = []
