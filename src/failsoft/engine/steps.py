"""The ladder as the settings want it."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from failsoft.config.settings import CacheSettings, Settings
from failsoft.degrade.cache import SemanticCache, ShadowHit
from failsoft.degrade.embedder import Embedder, WordllamaEmbedder
from failsoft.degrade.ladder import Ladder
from failsoft.degrade.rules import RuleBook
from failsoft.degrade.saved.file import forget

__all__ = ["ladder_of"]

_log = logging.getLogger(__name__)


def ladder_of(settings: Settings) -> Ladder:
    """Opens nothing before it is used. Without the extra ``cache`` the semantic tier is off."""
    embedder = WordllamaEmbedder() if settings.cache.semantic and _extra_installed() else None
    rules = None if settings.rules_dir is None else RuleBook(settings.rules_dir)
    return Ladder(cache=_cache(settings, embedder), rules=rules, embedder=embedder)


def _cache(settings: Settings, embedder: Embedder | None) -> SemanticCache | None:
    own: CacheSettings = settings.cache
    path = Path(settings.data_dir) / "cache.db"
    if not settings.store_text:
        _forget(path)
    if not own.enabled or not settings.store_text:
        return None
    return SemanticCache(
        path,
        embedder=embedder,
        ttl_seconds=own.ttl_seconds,
        threshold=own.similarity_threshold,
        max_entries=own.max_entries,
        shadow=own.shadow,
        on_shadow=_log_texts if own.shadow_texts else None,
    )


def _forget(path: Path) -> None:
    """No text is to be stored, so none stays from when it was."""
    try:
        forget(path)
    except OSError as error:
        problem = f"saved answers cannot be deleted: {error}; delete {path} by hand"
        _log.warning("cache_not_deleted", extra={"fields": {"problem": problem}})


def _log_texts(shadow: ShadowHit) -> None:
    hit = shadow.hit
    fields = {"asked": shadow.asked, "saved": hit.question, "similarity": round(hit.similarity, 3)}
    _log.info("cache_shadow_hit", extra={"fields": fields})


def _extra_installed() -> bool:
    return find_spec("wordllama") is not None and find_spec("numpy") is not None
