"""Single thread that owns a store in a SQLite file, works in batches, and survives every error."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from failsoft.storage.outages import explain, is_damage, is_outage
from failsoft.storage.sqlite import identity
from failsoft.storage.status import StoreHealth, StoreStatus
from failsoft.storage.times import StoreTimes

__all__ = ["OpenStore", "StoreThread"]


class OpenStore(Protocol):
    """A store whose file is open; ``which`` is the file's identity."""

    which: tuple[int, int] | None

    def close(self) -> None:
        """Close the file."""
        ...


S = TypeVar("S", bound=OpenStore)
T = TypeVar("T")


class StoreThread(ABC, Generic[S, T]):
    """Takes what was asked meanwhile, does it in one batch, and so on until it is closed.

    An outage closes the store; it is opened again after ``times.retry``, and what is asked before
    is put off. ``name`` is that of the store in its status and log lines; ``clock`` gives epoch
    seconds. A subclass says what a turn does, and what one item of a batch is.
    """

    def __init__(
        self, name: str, path: Path, *, clock: Callable[[], float], times: StoreTimes
    ) -> None:
        self._health = StoreHealth(name, clock=clock, fields={"file": str(path)})
        self._what = name.replace("_", " ")
        self._path = path
        self._times = times
        self._thread = threading.Thread(target=self._run, name=f"failsoft-{name}", daemon=True)
        self._closing = False
        self._store: S | None = None
        self._which: tuple[int, int] | None = None
        self._retry_at = -math.inf

    @property
    def status(self) -> StoreStatus:
        """Whether the store works, and what to do if not."""
        return self._health.status

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    # Everything below runs in the thread.

    def _run(self) -> None:
        while not self._closing:
            self._survive(self._next)
        self._survive(self._finish)
        self._close_store()

    def _survive(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the thread outlives every error
            self._fail(error)

    def _next(self) -> None:
        is_open = self._store is not None
        self._take(None if is_open else max(0.0, self._retry_at - time.monotonic()))
        self._turn()

    def _turn(self) -> None:
        now = time.monotonic()
        if self._store is None and now >= self._retry_at:
            self._survive(self._reopen)
        if self._store is None:
            self._put_off()
        else:
            self._work(self._store, now)

    def _reopen(self) -> None:
        self._which = identity(self._path)
        self._store = self._open()
        self._which = self._store.which

    def _batch(self, store: S, items: Sequence[T]) -> None:
        """Commit all items at once; if one is refused, each by itself, so that only that one fails.

        Raises what concerns the whole file.
        """
        try:
            results = self._commit(store, items)
        except Exception as error:
            if is_outage(error) or self._is_damage(error):
                raise
            if len(items) == 1:
                self._refuse(store, items[0], error)
                return
            for item in items:
                self._batch(store, [item])
        else:
            self._settle(items, results)

    def _fail(self, error: Exception) -> None:
        """Close the store and report why; it is opened again after the retry time."""
        self._close_store()
        self._retry_at = time.monotonic() + self._times.retry
        try:
            if self._is_damage(error) and self._replace():
                self._retry_at = -math.inf
                return
        except OSError as why:
            error = why
        self._health.fails(self._problem(error))

    def _problem(self, error: Exception) -> str:
        return explain(error, self._path, self._what, lock_wait=self._times.lock_wait)

    def _close_store(self) -> None:
        if self._store is not None:
            with suppress(Exception):
                self._store.close()
        self._store = None

    def _is_damage(self, error: Exception) -> bool:
        """Whether the content of the file is wrong."""
        return is_damage(error)

    @abstractmethod
    def _open(self) -> S:
        """Open the store; whatever is wrong is raised, and nothing is left open."""

    @abstractmethod
    def _take(self, seconds: float | None) -> None:
        """Take all that was asked; if there is nothing, wait so long for something.

        ``None``, while the store is open: until something is due.
        """

    @abstractmethod
    def _work(self, store: S, now: float) -> None:
        """Do what was asked, and what is due. Raises what concerns the whole file."""

    @abstractmethod
    def _put_off(self) -> None:
        """Refuse what cannot wait until the store is open again."""

    @abstractmethod
    def _commit(self, store: S, items: Sequence[T]) -> Any:
        """Write all items or none, and return their results."""

    @abstractmethod
    def _settle(self, items: Sequence[T], results: Any) -> None:
        """The items, the first of those that wait, are committed."""

    @abstractmethod
    def _refuse(self, store: S, item: T, error: Exception) -> None:
        """The item, the first of those that wait, can never be written."""

    @abstractmethod
    def _replace(self) -> bool:
        """Set the damaged file aside; whether a new one is to be opened at once.

        An :class:`OSError` is reported in place of the damage.
        """

    @abstractmethod
    def _finish(self) -> None:
        """Do what is left at the end."""
