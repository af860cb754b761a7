"""Shared state of the engine, in a thread of its own, so that no loop waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from failsoft.config.settings import Settings
from failsoft.policy.admission import Guards
from failsoft.policy.callers import Caller
from failsoft.policy.target_guard import TargetGuard
from failsoft.shared_state.outbox import SharedCoordinator
from failsoft.shared_state.redis_store import RedisStore
from failsoft.shared_state.sync import Sharing
from failsoft.storage.redis import REDIS_TIMEOUT_SECONDS, connect
from failsoft.storage.status import StoreHealth, StoreStatus

__all__ = ["Shared"]

_GRANT_SECONDS: Final = 3 * REDIS_TIMEOUT_SECONDS


class Shared:
    """What this process shares by the Redis at ``url``. Opens nothing before :meth:`begin`.

    Safe under threads, several event loops, and after a fork: a child starts afresh. ``on_status``
    is called in the thread when the store goes or comes. Raises
    :class:`~failsoft.errors.SettingError` where the address is wrong, and
    :class:`~failsoft.errors.MissingExtraError` where the extra is missing.
    """

    def __init__(
        self, url: str, settings: Settings, *, on_status: Callable[[StoreStatus], None]
    ) -> None:
        connect(url)  # raise for a wrong address here, and not in the thread
        self._health = StoreHealth(
            "shared_state", clock=time.time, fields={}, level=logging.WARNING
        )
        self.leading = SharedCoordinator(settings.breaker, now=time.monotonic, wake=self._wake)
        self._url = url
        self._rules = settings.breaker
        self._on_status = on_status
        self._lock = threading.Lock()
        self._pid = 0
        self._closed = False
        self._thread: _Thread | None = None
        # What a parent's thread holds open is the parent's: to let go of it here would close it.
        self._forsaken: _Thread | None = None

    def begin(self, guards: Guards) -> None:
        """Begin to share, once in each process."""
        if self._pid == os.getpid() or self._closed:
            return
        with self._lock:
            if self._pid != os.getpid() and not self._closed:
                self.leading.begin_anew(forked=self._pid != 0)
                self._forsaken = self._thread
                self._thread = _Thread(self, guards)
                self._thread.start()
                self._pid = os.getpid()

    @property
    def status(self) -> StoreStatus:
        """Whether the store works, and what to do if not."""
        return self._health.status

    async def looked(self, seconds: float) -> None:
        """Return once the store has been read, could not be, or ``seconds`` are over."""
        if self._thread is not None:
            await asyncio.wait((asyncio.wrap_future(self._thread.looked),), timeout=seconds)

    async def grant(
        self, guard: TargetGuard, now: float, seconds: float, caller: Caller | None
    ) -> bool:
        """Ask for the leases that the next call of ``guard`` needs; whether it needed any."""
        parts, thread = guard.needs_grants(now, caller), self._thread
        if not parts or thread is None or thread.sharing is None:
            return False
        asking = thread.sharing.grant(parts, seconds)
        try:
            asked = asyncio.run_coroutine_threadsafe(asking, thread.loop)
        except RuntimeError:  # the loop has ended
            asking.close()
            return False
        # A thread that is ending may not answer any more.
        try:
            await asyncio.wait((asyncio.wrap_future(asked),), timeout=_GRANT_SECONDS)
        except asyncio.CancelledError:
            _given_back(asked, guard)
            raise
        if not asked.done():
            _given_back(asked, guard)
        return True

    async def aclose(self) -> None:
        """End the thread. Whatever is asked from now on goes on alone. Idempotent."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            await asyncio.to_thread(thread.stop)

    def told(self, problem: str) -> None:
        """The store works, or has this problem."""
        line = f"shared state: {problem} from redis_url; each process decides alone"
        changed = self._health.fails(line) if problem else self._health.works()
        if changed:
            self._on_status(self.status)

    def share(self, guards: Guards) -> tuple[RedisStore, Sharing]:
        """What the thread runs."""
        store = RedisStore(self._url)
        return store, Sharing(
            store, self.leading, guards, self._rules, now=time.monotonic, on_status=self.told
        )

    def _wake(self) -> None:
        if self._thread is not None:
            self._thread.wake()


def _given_back(asked: Future[None], guard: TargetGuard) -> None:
    """What was asked for is not waited for any more: no other process is to wait for its end."""
    asked.add_done_callback(lambda _: guard.give_back_grants())


class _Thread(threading.Thread):
    """Runs the sharing of one process in an event loop, until it is stopped."""

    def __init__(self, shared: Shared, guards: Guards) -> None:
        super().__init__(name="failsoft-shared", daemon=True)
        self.looked: Future[None] = Future()
        self.loop = asyncio.new_event_loop()
        self.sharing: Sharing | None = None
        self._shared = shared
        self._guards = guards
        self._main: asyncio.Task[None] | None = None
        self._stopping = False

    def run(self) -> None:
        """Share until stopped."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._share())

    def wake(self) -> None:
        """Something will not wait; called in any thread."""
        sharing = self.sharing
        if sharing is not None and sharing.ask_to_wake():
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(sharing.wake)

    def stop(self) -> None:
        """End it, and return when it has ended."""
        self._stopping = True
        if self._main is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(self._main.cancel)
        self.join()

    async def _share(self) -> None:
        store, self.sharing = self._shared.share(self._guards)
        self._main = asyncio.create_task(self.sharing.run())
        looking = asyncio.create_task(self._first_look(self.sharing))
        if self._stopping:
            self._main.cancel()
        await asyncio.wait((self._main,))
        looking.cancel()
        await store.aclose()

    async def _first_look(self, sharing: Sharing) -> None:
        await sharing.looked()
        self.looked.set_result(None)
