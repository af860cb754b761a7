"""What everything that is stored has in common: SQLite files, Redis connections, outages."""

from __future__ import annotations

__all__: list[str] = []
