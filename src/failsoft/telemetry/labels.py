"""The values that labels may have, and the state that gauges show.

A value that is not listed becomes ``other``, so the number of series is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from failsoft.classify.truth_table import ROWS

__all__ = ["OTHER", "Labels", "State"]

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Labels:
    """The routes of a deployment, and its targets in the order of the chain."""

    routes: frozenset[str]
    targets: tuple[str, ...]
    reasons: frozenset[str] = field(default=frozenset({row.reason for row in ROWS.values()}))

    @classmethod
    def of(cls, *, routes: Iterable[str], targets: Iterable[str]) -> Labels:
        """Those that the settings name."""
        return cls(frozenset(routes), tuple(targets))

    def route(self, name: str) -> str:
        """That route, or ``other``."""
        return name if name in self.routes else OTHER

    def target(self, name: str) -> str:
        """That target, or ``other`` for a model that only a caller named."""
        return name if name in self.targets else OTHER

    def reason(self, name: str) -> str:
        """That reason, or ``other``."""
        return name if name in self.reasons else OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """States by name, counts, and whether each store works."""

    targets: Mapping[str, str]
    routes: Mapping[str, str]
    inflight: Mapping[str, int]
    queued: int = 0
    probe_waiters: int = 0
    budget_ratio: float = 0.0
    stores: Mapping[str, bool] = field(default_factory=dict)
