"""What all processes of a deployment share: breakers, benches and parks, in Redis or Valkey."""

from __future__ import annotations

__all__: list[str] = []
