"""Saved answers: found again for the same question, or for one that asks the same."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar
from weakref import finalize

from failsoft.forks import in_every_child
from failsoft.ladder.cache.cache_file import Answered, CacheFile, CacheOptions
from failsoft.ladder.cache.rows import CacheEntry, Listed
from failsoft.ladder.cache.search import Query
from failsoft.ladder.cache.worker import (
    CacheDownError,
    CacheWorker,
    Loading,
    NotYetError,
    wordllama,
)
from failsoft.ladder.embedder import Embedder
from failsoft.ladder.partition import PUBLIC, Partition, tenant_scope, user_scope
from failsoft.storage.status import StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = [
    "OWN",
    "PUBLIC",
    "CacheDownError",
    "CacheStats",
    "Hit",
    "Listed",
    "Partition",
    "SemanticCache",
    "ShadowHit",
    "tenant_scope",
    "user_scope",
]


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


_log = logging.getLogger(__name__)

T = TypeVar("T")

# A request about to get the minimal notice waits no longer for a saved answer.
_LOOKUP_SECONDS: Final = 2.5

OWN: Final = Partition(scope=PUBLIC, shared=True, route="", context="")
"""The partition of a cache that is used on its own."""

_OWN_LOCALE: Final = "en"


class SemanticCache:
    """Saved answers in the SQLite file ``path``, which several processes may share.

    ``embedder`` finds like questions: one, or what makes one when it is first needed; ``None``
    finds the same only. An answer lives ``ttl_seconds`` from when it was given. Cosine similarity
    must be at least ``threshold``, by default what the embedder's evaluation supports, and no guard
    may tell the questions apart. A partition holds ``max_entries``, the file ``max_bytes``; the
    oldest make room. With ``shadow`` a like question is served nothing: ``on_shadow`` is called, in
    the cache's thread, what it would have been; without it a line is logged that has no text.

    On its own::

        with SemanticCache(Path("answers.db")) as cache:
            cache.remember("How do I reset my password?", "Open Settings …")
            hit = cache.find_similar("how can I reset my password")

    Nothing here raises for a file that is damaged, full or locked: it costs the saved answers, and
    ``status`` says what to do. ``times`` are the cache's waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        embedder: Embedder | Callable[[], Embedder] | None = wordllama,
        ttl_seconds: float = 86400.0,
        threshold: float | None = None,
        max_entries: int = 100_000,
        max_bytes: int = 1024 * 1024 * 1024,
        shadow: bool = False,
        on_shadow: Callable[[ShadowHit], object] | None = None,
        clock: Callable[[], float] = time.time,
        times: StoreTimes = StoreTimes(),
    ) -> None:
        self._options = CacheOptions(
            path=path.absolute(),
            ttl=ttl_seconds,
            max_entries=max_entries,
            max_bytes=max_bytes,
            clock=clock,
            times=times,
        )
        self._loading = Loading(embedder, wait=times.embedder)
        self._threshold = threshold
        self._shadow = shadow
        self._on_shadow = on_shadow
        self._lock = threading.Lock()
        self._worker: CacheWorker | None = None
        self._exact_hits = self._similar_hits = self._shadow_hits = self._misses = 0
        in_every_child(self._forked)

    @property
    def status(self) -> StoreStatus:
        """Whether answers are saved and found, and what to do if not."""
        if (worker := self._worker) is not None:
            return worker.status
        problem = f"cache {self._options.path}: not started"
        return StoreStatus(name="cache", up=False, problem=problem, since=None)

    def start(self) -> None:
        """Begin to work, in a thread. May be called more than once."""
        self._started()

    def close(self) -> None:
        """Write what is pending and let go of the file; blocking. May be called more than once."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    async def aclose(self) -> None:
        """Write what is pending and let go of the file. May be called more than once."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def lookup(self, partition: Partition, question: str, *, locale: str) -> Hit | None:
        """The answer to that question, else to one that asks the same; ``None`` without any.

        In general a few milliseconds, some 2 s at most; raises for no fault.
        """
        if (worker := self._worker) is None:
            return None
        found = worker.ask(partial(self._look, partition, question, locale, self._threshold))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(found), _LOOKUP_SECONDS)
        except (CacheDownError, TimeoutError):
            return None

    def keep(
        self,
        partition: Partition,
        question: str,
        response: str,
        *,
        locale: str,
        tenant: str = "",
        user: str = "",
    ) -> None:
        """Save a complete answer of a model soon. Returns at once, never raises.

        ``tenant`` and ``user`` asked, however it is shared: it is listed and deleted as theirs.
        """
        if (worker := self._worker) is not None:
            worker.keep(
                Answered(
                    partition=partition,
                    question=question,
                    response=response,
                    locale=locale,
                    tenant=tenant,
                    user=user,
                    answered_at=self._options.clock(),
                )
            )

    def find_similar(
        self, question: str, threshold: float | None = None, *, locale: str = _OWN_LOCALE
    ) -> Hit | None:
        """The answer to that question or to one like it; blocking. ``None`` without any.

        ``threshold`` is in place of the cache's own; answers are found in their own language.
        """
        threshold = self._threshold if threshold is None else threshold
        try:
            found = self._started().ask(partial(self._look, OWN, question, locale, threshold))
            return found.result(_LOOKUP_SECONDS)
        except (CacheDownError, TimeoutError):
            return None

    def remember(self, question: str, response: str, *, locale: str = _OWN_LOCALE) -> None:
        """Save an answer; blocking. ``status`` says whether answers can be saved."""
        self._started()
        self.keep(OWN, question, response, locale=locale)
        with suppress(CacheDownError):
            self._started().ask(self._flush).result()

    def delete(self, *, tenant: str | None = None, user: str | None = None) -> int:
        """Delete what a tenant, a user of it, or (without both) anybody asked; how many it were.

        Blocking. Raises :class:`CacheDownError`.
        """
        return self._started().delete(tenant, user).result()

    def entries(
        self, *, tenant: str | None = None, user: str | None = None, limit: int = 100
    ) -> list[Listed]:
        """What a tenant, a user of it, or anybody asked, the latest first.

        Blocking. Raises :class:`CacheDownError`.
        """
        return self._started().ask(lambda file: file.listed(tenant, user, at_most=limit)).result()

    def stats(self) -> CacheStats:
        """What there is, and what was found. Blocking. Raises :class:`CacheDownError`."""
        return self._started().ask(self._stats).result()

    def _forked(self) -> None:
        self._lock = threading.Lock()
        if self._worker is not None:
            self._worker.forked()

    def _started(self) -> CacheWorker:
        with self._lock:
            if self._worker is None:
                self._worker = CacheWorker(self._options, self._loading)
                self._worker.start()
                # One that is dropped without being closed leaves no thread and no file behind.
                finalize(self, self._worker.leave).atexit = False
            return self._worker

    # What follows runs in the thread.

    def _look(
        self,
        partition: Partition,
        question: str,
        locale: str,
        threshold: float | None,
        file: CacheFile,
    ) -> Hit | None:
        query = Query(partition=partition, question=question, locale=locale, threshold=threshold)
        span = self._options.span()
        worker = self._worker  # none while it closes, when nothing waits any more
        if partition.shared and worker is not None and worker.waiting:
            raise NotYetError  # what was kept before is found
        if entry := file.search.same(query, *span):
            self._exact_hits += 1
            return self._hit(entry, 1.0, exact=True)
        found = None
        if partition.shared and file.search.has_any(query):
            if not self._loading.settled():
                raise NotYetError
            if embedder := self._loading.embedder:
                found = file.search.alike(query, embedder, *span)
        if found and not self._shadow:
            self._similar_hits += 1
            return self._hit(*found, exact=False)
        if found:
            self._shadow_hits += 1
            self._tell(ShadowHit(question, self._hit(*found, exact=False)))
        self._misses += 1
        return None

    def _hit(self, entry: CacheEntry, similarity: float, *, exact: bool) -> Hit:
        age = max(0.0, self._options.clock() - entry.answered_at)
        return Hit(entry.response, age, entry.question, similarity, exact)

    def _tell(self, shadow: ShadowHit) -> None:
        if self._on_shadow is not None:
            self._on_shadow(shadow)
        else:  # text goes only where it was asked for
            fields = {"similarity": round(shadow.hit.similarity, 3)}
            _log.info("cache_shadow_hit", extra={"fields": fields})

    def _flush(self, _: CacheFile) -> None:
        """What was kept before is saved before whatever waits for the embedder."""
        if not self._loading.settled():
            raise NotYetError

    def _stats(self, file: CacheFile) -> CacheStats:
        entries, partitions = file.rows.count()
        return CacheStats(
            entries=entries,
            partitions=partitions,
            bytes=file.rows.bytes(),
            exact_hits=self._exact_hits,
            similar_hits=self._similar_hits,
            shadow_hits=self._shadow_hits,
            misses=self._misses,
            dropped=self._worker.dropped if self._worker else 0,
            similar_problem=self._loading.problem,
        )
