"""Single thread that saves and finds answers in the cache's file.

Answers wait here until they are saved; the embedder is loaded here when it is first needed.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from failsoft.errors import FailsoftError
from failsoft.ladder.cache.cache_file import Answered, CacheFile, CacheOptions, is_damaged
from failsoft.ladder.embedder import Embedder, WordllamaEmbedder
from failsoft.storage.outages import is_busy, is_outage
from failsoft.storage.sqlite import set_aside
from failsoft.storage.store_thread import StoreThread

__all__ = ["CacheDownError", "CacheWorker", "Loading", "NotYetError", "Unsaved", "wordllama"]


# Held in memory while the file cannot take them.
_MAX_COUNT: Final = 2000
_MAX_CHARACTERS: Final = 16 * 1024 * 1024


class Unsaved:
    """Answers that wait to be saved, counted from when any thread hands them over.

    All other methods are for the worker's thread. Answers that need a vector wait until it is known
    whether there is an embedder.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._count = self._characters = 0
        self._handed: list[Answered] = []
        self._ready: deque[Answered] = deque()
        self._waiting: deque[Answered] = deque()

    def hand_over(self, answered: Answered) -> bool:
        """Add an answer if there is room; whether it is the first since :meth:`take`."""
        size = _size(answered)
        with self._lock:
            if self._count >= _MAX_COUNT or self._characters + size > _MAX_CHARACTERS:
                self.dropped += 1
                return False
            self._count += 1
            self._characters += size
            self._handed.append(answered)
            return len(self._handed) == 1

    def take(self) -> None:
        """Take what was handed over."""
        with self._lock:
            handed, self._handed = self._handed, []
        for answered in handed:
            (self._waiting if answered.partition.shared else self._ready).append(answered)

    @property
    def waiting(self) -> bool:
        """Whether any waits for the embedder."""
        return bool(self._waiting)

    def wait_no_more(self) -> None:
        """Have them saved with or without vectors."""
        self._ready.extend(self._waiting)
        self._waiting.clear()

    def batch(self, most: int) -> list[Answered]:
        """The first that can be saved; they stay here until they are :meth:`done`."""
        return [self._ready[place] for place in range(min(most, len(self._ready)))]

    def done(self, count: int) -> None:
        """So many of the first are saved."""
        self._release([self._ready.popleft() for _ in range(count)])

    def forget(self, tenant: str | None, user: str | None) -> int:
        """Drop what a tenant or a user asked; the number of answers."""
        lots = (self._ready, self._waiting)
        theirs = [one for lot in lots for one in lot if _is_of(one, tenant, user)]
        for lot in lots:
            kept = [one for one in lot if not _is_of(one, tenant, user)]
            lot.clear()
            lot.extend(kept)
        self._release(theirs)
        return len(theirs)

    def drop(self, count: int | None = None) -> None:
        """Drop so many of the first, or all."""
        if count is None:
            self.wait_no_more()
            count = len(self._ready)
        with self._lock:
            self.dropped += count
        self.done(count)

    def _release(self, gone: Sequence[Answered]) -> None:
        with self._lock:
            self._count -= len(gone)
            self._characters -= sum(map(_size, gone))


def _is_of(answered: Answered, tenant: str | None, user: str | None) -> bool:
    return tenant in (None, answered.tenant) and user in (None, answered.user)


def _size(answered: Answered) -> int:
    return len(answered.question) + len(answered.response)


_log = logging.getLogger(__name__)


def wordllama() -> Embedder:
    """The embedder of the extra ``cache``, loaded. Raises MissingExtraError without the extra."""
    embedder = WordllamaEmbedder()
    embedder.load()
    return embedder


class Loading:
    """Loads the embedder in a thread of its own; what needs it waits at most ``wait`` seconds."""

    def __init__(self, given: Embedder | Callable[[], Embedder] | None, *, wait: float) -> None:
        self._given = given
        self._wait = wait
        self._begun: float | None = None
        self._thread: threading.Thread | None = None
        self._over = self._settled = given is None
        self.embedder: Embedder | None = None
        self.problem = "switched off" if given is None else ""

    def settled(self) -> bool:
        """Whether there was nothing to wait for at the last look; begins to load where needed."""
        if self._begun is None and not self._over:
            self._begun = time.monotonic()
            # No daemon: a process that ends while native code is being loaded is aborted.
            self._thread = threading.Thread(
                target=self._load, name="failsoft-embedder", daemon=False
            )
            try:
                self._thread.start()
            except RuntimeError:  # since Python 3.12 none is begun while the process ends
                self._over = self._settled = True
        return self._settled

    def close(self) -> None:
        """Wait for it to end if it has begun: at the end of a process nothing else does."""
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Check whether it is loaded, or has taken too long."""
        begun = math.inf if self._begun is None else self._begun
        self._settled = self._over or time.monotonic() - begun > self._wait

    def _load(self) -> None:
        from failsoft.ladder.paraphrase.same_question import difference  # noqa: PLC0415 - slow, and not always used

        try:
            given = self._given
            embedder = given() if callable(given) else given
            if embedder is not None:
                embedder.embed("ready")
                difference(
                    "Is it ready?", "Are they ready?"
                )  # which reads its words at the first call
            self.embedder = embedder
        except Exception as error:  # noqa: BLE001 - same questions are found without it
            self.problem = str(error)
            _log.warning("cache_embedder_failed", extra={"fields": {"problem": self.problem}})
        self._over = True


T = TypeVar("T")

# Saved in one transaction: a look-up meanwhile waits some milliseconds for it.
_BATCH: Final = 16

_SOON_SECONDS: Final = 0.01

# An answer waits so long for others, unless something is asked: a transaction takes as long as
# three answers.
_GATHER_SECONDS: Final = 0.05


class CacheDownError(FailsoftError):
    """Saved answers cannot be read now; the message is the operator's line."""


class NotYetError(Exception):
    """What was asked waits for the embedder."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    work: Callable[[CacheFile], Any]
    answer: Future[Any]


class CacheWorker(StoreThread[CacheFile, Answered]):
    """Saves a few answers, answers all questions, and so on: what was kept before is found."""

    def __init__(self, options: CacheOptions, loading: Loading) -> None:
        super().__init__("cache", options.path, clock=options.clock, times=options.times)
        self._options, self._loading = options, loading
        self._inbox: SimpleQueue[_Ask | None] = SimpleQueue()
        self._over = False
        self._asked: deque[_Ask] = deque()
        self._unsaved = Unsaved()
        self._tidy_at = self._try_at = self._aside_at = -math.inf
        self._locked_since: float | None = None

    @property
    def dropped(self) -> int:
        """How many answers were not saved."""
        return self._unsaved.dropped

    @property
    def waiting(self) -> bool:
        """Whether any answer waits for the embedder. For the thread alone."""
        return self._unsaved.waiting

    def start(self) -> None:
        """Begin. Ends with the process at the latest: what was kept is saved then."""
        atexit.register(self.close)
        super().start()

    def ask(self, work: Callable[[CacheFile], T]) -> Future[T]:
        """The result of ``work``; a :class:`CacheDownError` if the file cannot be read."""
        ask = _Ask(work, Future())
        self._inbox.put(ask)
        if self._over:  # the thread may have ended before it could take it
            problem = self.status.problem or f"cache {self._path}: closed"
            _fail(ask, CacheDownError(problem))
        return ask.answer

    def keep(self, answered: Answered) -> None:
        """Save it soon; what there is no room for is dropped."""
        if not self._over and self._unsaved.hand_over(answered):
            self._inbox.put(None)

    def delete(self, tenant: str | None, user: str | None) -> Future[int]:
        """Delete what a tenant or a user asked, saved or not yet; the number of answers."""
        return self.ask(lambda file: self._unsaved.forget(tenant, user) + file.delete(tenant, user))

    def close(self) -> None:
        """Save what is pending, and wait for the end. Idempotent."""
        atexit.unregister(self.close)
        self.leave()
        self._thread.join()
        self._loading.close()

    def leave(self) -> None:
        """Have the thread save what is pending, and end. Returns at once. Idempotent."""
        self._closing = True
        self._inbox.put(None)

    def forked(self) -> None:
        """Be over in a forked process: it must not use the connection that its parent has open."""
        self._over = True
        self._health.fails(
            f"cache {self._path}: the parent of this process had opened it before the "
            "fork; make a new Failsoft or SemanticCache in the child"
        )

    # Everything below runs in the thread.

    def _run(self) -> None:
        super()._run()
        self._over = True
        self._take(0)
        self._put_off()
        atexit.unregister(self.close)

    def _open(self) -> CacheFile:
        self._try_at = -math.inf
        return CacheFile(self._options)

    def _take(self, seconds: float | None) -> None:
        with suppress(Empty):
            found = self._inbox.get(timeout=self._idle_seconds() if seconds is None else seconds)
            if found is None and not (self._closing or self._asked or self._unsaved.batch(1)):
                found = self._inbox.get(timeout=_GATHER_SECONDS)
            while True:
                if found is not None:
                    self._asked.append(found)
                found = self._inbox.get_nowait()
        self._unsaved.take()

    def _idle_seconds(self) -> float:
        if self._asked or self._unsaved.waiting or self._locked_since is not None:
            return _SOON_SECONDS
        if self._unsaved.batch(1):
            return 0
        due = self._tidy_at if self.status.up else min(self._tidy_at, self._try_at)
        return max(0.0, due - time.monotonic())

    def _turn(self) -> None:
        self._loading.look()
        if self._store is not None and not self._store.is_there():
            self._close_store()  # another process has set it aside
        super()._turn()

    def _work(self, store: CacheFile, now: float) -> None:
        if self._unsaved.waiting and self._loading.settled():
            self._unsaved.wait_no_more()
        self._save(store)  # first, so that what was kept before is found
        while self._asked and self.status.up and not self._locked_since and self._unsaved.batch(1):
            self._save(store)
        for _ in range(len(self._asked)):
            self._do(store, self._asked.popleft())
        self._do_chores(store, now)

    def _do(self, store: CacheFile, ask: _Ask) -> None:
        if ask.answer.cancelled():
            return
        try:
            answer = ask.work(store)
        except NotYetError:
            self._asked.append(ask)
        except Exception as error:
            _fail(ask, CacheDownError(self._problem(error)))
            if is_damaged(error) or (is_outage(error) and not is_busy(error)):
                raise
            if not is_busy(error):
                _log.exception("cache_refused")
        else:
            with suppress(InvalidStateError):  # cancelled
                ask.answer.set_result(answer)

    def _save(self, store: CacheFile) -> None:
        """Save some of what waits."""
        if batch := self._unsaved.batch(_BATCH):
            try:
                self._batch(store, batch)
            except Exception as error:  # noqa: BLE001 - raised again where it must close the file
                self._stumble(error)

    def _commit(self, store: CacheFile, items: Sequence[Answered]) -> None:
        store.save(items, self._loading.embedder)

    def _settle(self, items: Sequence[Answered], results: None) -> None:  # noqa: ARG002 - the base's
        self._unsaved.done(len(items))
        self._up()

    def _refuse(self, store: CacheFile, item: Answered, error: Exception) -> None:  # noqa: ARG002 - the base's
        _log.error("cache_refused", exc_info=error)
        self._unsaved.drop(1)

    def _stumble(self, error: Exception) -> None:
        """Report an outage of writing, and stay open: saved answers are found all the same."""
        if is_damaged(error) or not is_outage(error):
            raise error
        now = time.monotonic()
        if is_busy(error):
            self._locked_since = self._locked_since or now
            if now - self._locked_since < self._times.lock_wait:
                return
        else:
            self._unsaved.drop()
        self._health.fails(self._problem(error))
        self._try_at = now + self._times.retry

    def _do_chores(self, store: CacheFile, now: float) -> None:
        try:
            if not self.status.up and now >= self._try_at:
                store.try_room()
                self._up()
            if now >= self._tidy_at:
                more = store.tidy()
                self._tidy_at = now + (0 if more else self._times.tidy)
        except Exception as error:  # noqa: BLE001 - raised again where it must close the file
            self._tidy_at = now + self._times.tidy
            self._stumble(error)

    def _is_damage(self, error: Exception) -> bool:
        return is_damaged(error)

    def _replace(self) -> bool:
        """Set the damaged file aside, unless that was done just now."""
        now = time.monotonic()
        if now - self._aside_at <= self._times.retry:
            return False
        if place := set_aside(self._path, self._which):
            fields = {"file": str(self._path), "now": place.name}
            _log.warning("cache_set_aside", extra={"fields": fields})
        self._aside_at = now
        return True

    def _up(self) -> None:
        self._locked_since = None
        self._health.works()

    def _put_off(self) -> None:
        self._unsaved.drop()
        while self._asked:
            _fail(self._asked.popleft(), CacheDownError(self.status.problem))

    def _finish(self) -> None:
        """Save what is pending."""
        self._take(0)
        while self._unsaved.waiting and not self._loading.settled():
            time.sleep(_SOON_SECONDS)
            self._loading.look()
        self._turn()
        while self._unsaved.batch(1) and self._store is not None and self.status.up:
            self._save(self._store)
            time.sleep(0 if self._locked_since is None else _SOON_SECONDS)


def _fail(ask: _Ask, error: Exception) -> None:
    with suppress(InvalidStateError):  # cancelled
        ask.answer.set_exception(error)
