"""The settings of saved answers."""

from __future__ import annotations

from dataclasses import dataclass

from failsoft.config.kinds import DAY, MANY, number, switch, whole
from failsoft.config.spec import Section, setting

__all__ = ["CacheSettings"]


@dataclass(frozen=True, kw_only=True)
class CacheSettings(Section):
    """Saved answers, for when no model can answer. ``store_text`` off turns them off."""

    _section = "cache."

    enabled: bool = setting(default=True, doc="save complete answers", kind=switch())
    semantic: bool = setting(
        default=True,
        doc="on shared routes, find questions that ask the same in other words",
        kind=switch(),
    )
    similarity_threshold: float | None = setting(
        None, "least cosine similarity; the embedder's own where it is not set", number(0, 1)
    )
    ttl_seconds: float = setting(DAY, "an answer is served for so long", number(1, 366 * DAY))
    max_entries: int = setting(
        100_000, "answers kept for each group of people that shares them", whole(1, MANY)
    )
    shadow: bool = setting(
        default=False,
        doc="log what other wordings would have been served, serve none",
        kind=switch(),
    )
    shadow_texts: bool = setting(
        default=False,
        doc="what `shadow` logs has the two questions in it, for people to judge",
        kind=switch(),
    )
