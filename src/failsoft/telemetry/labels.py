"""The values that labels may have; whatever is not listed is ``other``, so series are bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from failsoft.classify.rows import ROWS

__all__ = ["OTHER", "Labels"]

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Labels:
    """The routes and targets of a deployment."""

    routes: frozenset[str]
    targets: frozenset[str]
    reasons: frozenset[str] = field(default=frozenset({row.reason for row in ROWS.values()}))

    @classmethod
    def of(cls, *, routes: Iterable[str], targets: Iterable[str]) -> Labels:
        """Those that the settings name."""
        return cls(frozenset(routes), frozenset(targets))

    def route(self, name: str) -> str:
        """That route, or ``other``."""
        return name if name in self.routes else OTHER

    def target(self, name: str) -> str:
        """That target, or ``other`` for a model that only a caller named."""
        return name if name in self.targets else OTHER

    def reason(self, name: str) -> str:
        """That reason, or ``other``."""
        return name if name in self.reasons else OTHER
