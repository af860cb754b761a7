"""The ladder as the settings want it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from failsoft.config.settings import CacheSettings, Settings
from failsoft.degrade.cache import SemanticCache
from failsoft.degrade.embedder import Embedder, WordllamaEmbedder
from failsoft.degrade.ladder import Ladder
from failsoft.degrade.rules import RuleBook

__all__ = ["ladder_of"]


def ladder_of(settings: Settings) -> Ladder:
    """Opens nothing before it is used. Without the extra ``cache`` the semantic tier is off."""
    embedder = WordllamaEmbedder() if settings.cache.semantic and _extra_installed() else None
    rules = None if settings.rules_dir is None else RuleBook(settings.rules_dir)
    return Ladder(cache=_cache(settings, embedder), rules=rules, embedder=embedder)


def _cache(settings: Settings, embedder: Embedder | None) -> SemanticCache | None:
    own: CacheSettings = settings.cache
    if not own.enabled or not settings.store_text:
        return None
    return SemanticCache(
        Path(settings.data_dir) / "cache.db",
        embedder=embedder,
        ttl_seconds=own.ttl_seconds,
        threshold=own.similarity_threshold,
        max_entries=own.max_entries,
        shadow=own.shadow,
    )


def _extra_installed() -> bool:
    return find_spec("wordllama") is not None and find_spec("numpy") is not None
