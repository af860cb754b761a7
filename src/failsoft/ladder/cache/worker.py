"""Single thread that touches the file of saved answers; it survives every error.

Answers wait here until they are saved, and the embedder is loaded here when it is first needed.
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
from failsoft.ladder.cache.store import Answered, Keeping, Shelf, is_damaged
from failsoft.ladder.embedder import Embedder, WordllamaEmbedder
from failsoft.storage.damage import set_aside
from failsoft.storage.outages import LOCK_SECONDS, explain, is_busy, is_outage
from failsoft.storage.sqlite import identity
from failsoft.storage.status import StoreHealth, StoreStatus

__all__ = ["CacheDownError", "Loading", "NotYetError", "Pending", "Worker", "wordllama"]


# Held in memory while the file cannot take them.
_MAX_COUNT: Final = 2000
_MAX_CHARACTERS: Final = 16 * 1024 * 1024


class Pending:
    """Counts them from when they are handed over; the rest is the worker's thread's alone.

    Those that need a vector wait until it is known whether there is an embedder.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._count = self._characters = 0
        self._handed: list[Answered] = []
        self._ready: deque[Answered] = deque()
        self._waiting: deque[Answered] = deque()

    def hand_over(self, answered: Answered) -> bool:
        """From any thread, where there is room for it. Whether it is the first since a ``take``."""
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
        """Have them saved with such vectors as there are."""
        self._ready.extend(self._waiting)
        self._waiting.clear()

    def batch(self, most: int) -> list[Answered]:
        """The first that can be saved; they stay here until they are :meth:`done`."""
        return [self._ready[place] for place in range(min(most, len(self._ready)))]

    def done(self, count: int) -> None:
        """So many of the first are saved."""
        self._release([self._ready.popleft() for _ in range(count)])

    def forget(self, tenant: str | None, user: str | None) -> int:
        """Give up what they asked; how many it were."""
        lots = (self._ready, self._waiting)
        theirs = [one for lot in lots for one in lot if _is_of(one, tenant, user)]
        for lot in lots:
            kept = [one for one in lot if not _is_of(one, tenant, user)]
            lot.clear()
            lot.extend(kept)
        self._release(theirs)
        return len(theirs)

    def drop(self, count: int | None = None) -> None:
        """Give up so many of the first, or all."""
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

# Wordllama takes 0.5 s, with its imports a second or two. What needs it does not wait any longer.
_PATIENCE_SECONDS = 2.0


def wordllama() -> Embedder:
    """The embedder of the extra ``cache``, loaded. Raises MissingExtraError without the extra."""
    embedder = WordllamaEmbedder()
    embedder.load()
    return embedder


class Loading:
    """Loads in a thread of its own, so that what needs no embedder does not wait for it."""

    def __init__(self, given: Embedder | Callable[[], Embedder] | None) -> None:
        self._given = given
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
        """Let it end, where it was begun: at the end of a process nothing else waits for it."""
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Look whether it is there, or has taken too long."""
        begun = math.inf if self._begun is None else self._begun
        self._settled = self._over or time.monotonic() - begun > _PATIENCE_SECONDS

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

# Saved in one transaction: a lookup meanwhile waits a few milliseconds for it.
_BATCH: Final = 16

_RETRY_SECONDS: Final = 2.0
_TIDY_SECONDS: Final = 60.0
_SOON_SECONDS: Final = 0.01

# An answer waits so long for others, unless there is a lookup: a transaction costs as three do.
_GATHER_SECONDS: Final = 0.05


class CacheDownError(FailsoftError):
    """Saved answers cannot be read now; the message is the operator's line."""


class NotYetError(Exception):
    """What was asked waits for the embedder."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    work: Callable[[Shelf], Any]
    answer: Future[Any]


class Worker:
    """Saves a little, answers all that is asked, and so on: what was kept before is found."""

    def __init__(self, keeping: Keeping, loading: Loading) -> None:
        self._health = StoreHealth("cache", clock=keeping.clock, fields={"file": str(keeping.path)})
        self._keeping, self._loading = keeping, loading
        self._inbox: SimpleQueue[_Ask | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="failsoft-cache", daemon=True)
        self._closing = self._over = False
        self._shelf: Shelf | None = None
        self._asked: deque[_Ask] = deque()
        self._pending = Pending()
        self._retry_at = self._tidy_at = self._try_at = self._aside_at = -math.inf
        self._locked_since: float | None = None

    @property
    def status(self) -> StoreStatus:
        """Whether answers are saved and found, and what to do if not."""
        return self._health.status

    @property
    def dropped(self) -> int:
        """How many answers were not saved."""
        return self._pending.dropped

    @property
    def waiting(self) -> bool:
        """Whether any answer waits for the embedder. To be asked in the thread."""
        return self._pending.waiting

    def start(self) -> None:
        """Begin. Ends with the process at the latest: what was kept is saved then."""
        atexit.register(self.close)
        self._thread.start()

    def ask(self, work: Callable[[Shelf], T]) -> Future[T]:
        """Have it done, and its answer; a :class:`CacheDownError` where the file cannot be read."""
        ask = _Ask(work, Future())
        self._inbox.put(ask)
        if self._over:  # the thread may not have seen it any more
            problem = self.status.problem or f"cache {self._keeping.path}: closed"
            _fail(ask, CacheDownError(problem))
        return ask.answer

    def keep(self, answered: Answered) -> None:
        """Save it soon; what there is no room for is dropped."""
        if not self._over and self._pending.hand_over(answered):
            self._inbox.put(None)

    def delete(self, tenant: str | None, user: str | None) -> Future[int]:
        """Delete what they asked, saved or not yet, and say how many it were."""
        return self.ask(
            lambda shelf: self._pending.forget(tenant, user) + shelf.delete(tenant, user)
        )

    def close(self) -> None:
        """Save what there is, and end; waits for it. Idempotent."""
        atexit.unregister(self.close)
        self.leave()
        self._thread.join()
        self._loading.close()

    def leave(self) -> None:
        """Have the thread save what there is, and end. Returns at once. Idempotent."""
        self._closing = True
        self._inbox.put(None)

    def forked(self) -> None:
        """Be over in a forked process: SQLite has no second way to a file its parent has open."""
        self._over = True
        self._health.fails(
            f"cache {self._keeping.path}: the parent of this process had opened it before the "
            "fork; make a new Failsoft or SemanticCache in the child"
        )

    # What follows runs in the thread.

    def _run(self) -> None:
        while not self._closing:
            try:
                self._take(self._pause())
                self._turn()
            except Exception as error:  # noqa: BLE001 - the thread stays, whatever it is
                self._fall(error)
        self._leave()
        atexit.unregister(self.close)

    def _take(self, seconds: float) -> None:
        """Take all there is; where there is nothing, wait so long for something."""
        with suppress(Empty):
            found = self._inbox.get(timeout=seconds)
            if found is None and not (self._closing or self._asked or self._pending.batch(1)):
                found = self._inbox.get(timeout=_GATHER_SECONDS)
            while True:
                if found is not None:
                    self._asked.append(found)
                found = self._inbox.get_nowait()
        self._pending.take()

    def _pause(self) -> float:
        if self._shelf is None:
            return max(0.0, self._retry_at - time.monotonic())
        if self._asked or self._pending.waiting or self._locked_since is not None:
            return _SOON_SECONDS
        if self._pending.batch(1):
            return 0
        due = self._tidy_at if self.status.up else min(self._tidy_at, self._try_at)
        return max(0.0, due - time.monotonic())

    def _turn(self) -> None:
        now = time.monotonic()
        self._loading.look()
        if (shelf := self._opened(now)) is None:
            self._decline()
            self._pending.drop()
            return
        if self._pending.waiting and self._loading.settled():
            self._pending.wait_no_more()
        self._save(shelf)  # first, so that what was kept before is found
        while self._asked and self.status.up and not self._locked_since and self._pending.batch(1):
            self._save(shelf)
        for _ in range(len(self._asked)):
            self._do(shelf, self._asked.popleft())
        self._do_chores(shelf, now)

    def _do(self, shelf: Shelf, ask: _Ask) -> None:
        if ask.answer.cancelled():
            return
        try:
            answer = ask.work(shelf)
        except NotYetError:
            self._asked.append(ask)
        except Exception as error:
            _fail(ask, CacheDownError(explain(error, self._keeping.path, "cache")))
            if is_damaged(error) or (is_outage(error) and not is_busy(error)):
                raise
            if not is_busy(error):
                _log.exception("cache_refused")
        else:
            with suppress(InvalidStateError):  # the caller has left
                ask.answer.set_result(answer)

    def _save(self, shelf: Shelf, most: int = _BATCH) -> None:
        """Save some; where one cannot be saved, each by itself, and only that one is not."""
        if not (batch := self._pending.batch(most)):
            return
        try:
            shelf.save(batch, self._loading.embedder)
        except Exception as error:
            if is_damaged(error):
                raise
            if is_outage(error):
                self._stumble(error)
            elif len(batch) > 1:
                for _ in batch:
                    self._save(shelf, 1)
            else:
                _log.exception("cache_refused")
                self._pending.drop(1)
        else:
            self._pending.done(len(batch))
            self._up()

    def _stumble(self, error: Exception) -> None:
        """What can still be read stays open: answers are found although none can be saved."""
        now = time.monotonic()
        if is_busy(error):
            self._locked_since = self._locked_since or now
            if now - self._locked_since < LOCK_SECONDS:
                return
        else:
            self._pending.drop()
        self._down(error)
        self._try_at = now + _RETRY_SECONDS

    def _do_chores(self, shelf: Shelf, now: float) -> None:
        try:
            if not self.status.up and now >= self._try_at:
                shelf.try_room()
                self._up()
            if now >= self._tidy_at:
                more = shelf.tidy()
                self._tidy_at = now + (0 if more else _TIDY_SECONDS)
        except Exception as error:
            self._tidy_at = now + _TIDY_SECONDS
            if is_damaged(error) or not is_outage(error):
                raise
            self._stumble(error)

    def _opened(self, now: float) -> Shelf | None:
        """The file; reopened where another process has put it aside."""
        if (shelf := self._shelf) is not None and not shelf.is_there():
            shelf.close()
            self._shelf = None
        if self._shelf is None and now >= self._retry_at:
            self._rise()
        return self._shelf

    def _rise(self) -> None:
        which = identity(self._keeping.path)
        try:
            self._shelf = Shelf(self._keeping)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._fall(error, which)
        else:
            self._try_at = -math.inf

    def _fall(self, error: Exception, which: tuple[int, int] | None = None) -> None:
        """Close the file; a damaged one makes place for a new one, others are tried again later."""
        if (shelf := self._shelf) is not None:
            which = shelf.which
            with suppress(Exception):
                shelf.close()
        self._shelf = None
        now = time.monotonic()
        try:
            if is_damaged(error) and now - self._aside_at > _RETRY_SECONDS:
                if now_at := set_aside(self._keeping.path, which):
                    fields = {"file": str(self._keeping.path), "now": now_at.name}
                    _log.warning("cache_set_aside", extra={"fields": fields})
                self._aside_at = self._retry_at = now
                return
        except OSError as why:
            error = why
        self._retry_at = now + _RETRY_SECONDS
        self._down(error)

    def _down(self, error: Exception) -> None:
        self._health.fails(explain(error, self._keeping.path, "cache"))

    def _up(self) -> None:
        self._locked_since = None
        self._health.works()

    def _decline(self) -> None:
        while self._asked:
            _fail(self._asked.popleft(), CacheDownError(self.status.problem))

    def _leave(self) -> None:
        """Save what there is, and go."""
        try:
            self._take(0)
            while self._pending.waiting and not self._loading.settled():
                time.sleep(_SOON_SECONDS)
                self._loading.look()
            self._turn()
            while self._pending.batch(1) and self._shelf is not None and self.status.up:
                self._save(self._shelf)
                time.sleep(0 if self._locked_since is None else _SOON_SECONDS)
        except Exception as error:  # noqa: BLE001 - no caller waits for more
            self._fall(error)
        self._over = True
        self._take(0)
        self._pending.drop()
        self._decline()
        if self._shelf is not None:
            with suppress(Exception):
                self._shelf.close()


def _fail(ask: _Ask, error: Exception) -> None:
    with suppress(InvalidStateError):  # the caller has left
        ask.answer.set_exception(error)
