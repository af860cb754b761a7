"""The request log in a Redis or Valkey that all servers of a service share."""

from __future__ import annotations

__all__: list[str] = []
