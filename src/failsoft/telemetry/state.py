"""What gauges show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["State"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """States by name, counts, and whether each store works."""

    targets: Mapping[str, str]
    routes: Mapping[str, str]
    inflight: Mapping[str, int]
    queued: int = 0
    budget_ratio: float = 0.0
    stores: Mapping[str, bool] = field(default_factory=dict)
