"""What the cache finds, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CacheStats", "Hit", "ShadowHit"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A saved answer. ``similarity`` of its ``question`` to that asked is 1.0 where ``exact``."""

    response: str
    age_seconds: float
    question: str
    similarity: float
    exact: bool


@dataclass(frozen=True, slots=True)
class ShadowHit:
    """What shadow mode would have served, and to which question."""

    asked: str
    hit: Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Entries, partitions and used bytes of the file; the rest counts from this process's start.

    ``similar_problem`` says why like questions are not found, empty where they are.
    """

    entries: int
    partitions: int
    bytes: int
    exact_hits: int
    similar_hits: int
    shadow_hits: int
    misses: int
    dropped: int
    similar_problem: str
