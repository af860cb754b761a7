"""Synchronises this process's breakers and benches with the shared store.

A closed breaker asks no one: outcomes are sent in the background, what others did is pushed here,
and all is read again every second. Only the lease of a probe is asked for before a call. A store
that does not reply in time is left alone, and everything goes on without it; when it is back,
what was counted meanwhile is dropped and what opened meanwhile is merged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Final

from failsoft.config.settings import BreakerSettings
from failsoft.policy.admission import Guards
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.shared_state.mirror import Mirror
from failsoft.shared_state.outbox import BY_HAND, KEPT, SharedCoordinator, hold_key, milliseconds
from failsoft.shared_state.store import Operation, Store, StoreError, Told
from failsoft.storage.redis import REDIS_TIMEOUT_SECONDS

__all__ = ["Sharing"]

# Successes are sent so often after a failure anywhere. Less than the time that failures must
# span to open a breaker (`failure_span_seconds`): when one process asks, all have reported.
_TELL_SECONDS: Final = 0.2
_STIRRED_SECONDS: Final = 10.0

# Urgent changes in a flood are sent together.
_TOGETHER_SECONDS: Final = 0.005

# All is read so often, and in a calm successes are sent no sooner.
_READ_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.5


class Sharing:
    """One store and one process's guards. For one event loop, in which :meth:`run` runs.

    ``now`` gives monotonic seconds. ``on_status`` gets what is wrong with the store, in a line
    for the operator, or nothing where all is well.
    """

    def __init__(
        self,
        store: Store,
        leading: SharedCoordinator,
        guards: Guards,
        rules: BreakerSettings,
        *,
        now: Callable[[], float],
        on_status: Callable[[str], None],
    ) -> None:
        self._store = store
        self._leading = leading
        self._rules = rules
        self._now = now
        self._on_status = on_status
        self._mirror = Mirror(guards)
        self._mirrored = 0
        self._untold: list[Operation] = []
        self._asking: set[str] = set()
        self._urgent = asyncio.Event()
        self._woken = False
        self._looked = asyncio.Event()
        self._stirred: dict[str, int] = {}
        self._calm_at = 0.0

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                began = self._now()
                try:
                    await self._session()
                except* Exception as errors:  # noqa: BLE001 - the next session may go well
                    self._failed(_first(errors), began)
                _raise_if_cancelled()
                if not self._leading.switch.leads:
                    await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            self._leading.cut_off()

    async def looked(self) -> None:
        """Return once the store has been read for the first time, or could not be."""
        await self._looked.wait()

    def ask_to_wake(self) -> bool:
        """Whether :meth:`wake` is to be called on the loop; asked in any thread."""
        woken, self._woken = self._woken, True
        return not woken

    def wake(self) -> None:
        """There is something that will not wait."""
        self._urgent.set()

    async def grant(self, parts: Sequence[SharedBreaker | SharedBench], seconds: float) -> None:
        """Ask for the leases of a probe, and put those that are granted into ``parts``.

        Of one key only one is asked for at a time.
        """
        try:
            await self._grant(parts, seconds)
        except Exception as error:  # noqa: BLE001 - the caller goes on alone
            self._down(error)
            self._urgent.set()

    async def _grant(self, parts: Sequence[SharedBreaker | SharedBench], seconds: float) -> None:
        expires_at = self._now() + seconds
        asked = [(part, self._lease(part, seconds)) for part in parts]
        asked = [(part, step) for part, step in asked if step.key not in self._asking]
        keys = {step.key for _, step in asked}
        self._asking |= keys
        try:
            replies = await self._store.run([step for _, step in asked]) if asked else []
        except StoreError:
            for part, step in asked:
                part.lost(_lease_of(step))
            raise
        finally:
            self._asking -= keys
        self._take(replies)
        for (part, _), told in zip(asked, replies, strict=True):
            if granted := self._mirror.granted(told, expires_at):
                part.grant(granted)

    async def _session(self) -> None:
        """Synchronise with the store until it fails."""
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.listen(self._changed, ready.set))
            try:
                async with asyncio.timeout(2 * REDIS_TIMEOUT_SECONDS):
                    await ready.wait()
            except TimeoutError:
                raise StoreError("no reply in time") from None
            # What was done by hand meanwhile comes before what others did.
            await self._tell(reads=False)
            await self._tell(reads=True)
            self._leading.switch.leads = True
            self._on_status("")
            self._looked.set()
            await self._go_on_telling()

    async def _go_on_telling(self) -> None:
        read_at = self._now() + _READ_SECONDS
        while True:
            urgent = await self._waited()
            if not self._leading.switch.leads:
                raise StoreError("no reply in time")  # to one who asked for a lease
            reads = self._mirrored < len(self._leading.guards) or self._now() >= read_at
            await self._tell(reads=reads)
            if reads:
                read_at = self._now() + _READ_SECONDS
            if urgent:
                await asyncio.sleep(_TOGETHER_SECONDS)

    async def _waited(self) -> bool:
        """Wait until it is time to tell; whether it is urgent."""
        calm = self._now() >= self._calm_at
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READ_SECONDS if calm else _TELL_SECONDS):
                await self._urgent.wait()
        urgent = self._urgent.is_set()
        self._urgent.clear()
        self._woken = False
        return urgent

    async def _tell(self, *, reads: bool) -> None:
        """Tell all there is to tell; where it ``reads``, take over all the store has before."""
        # Kept until there is a reply: a batch sent again after a lost one counts once.
        self._untold += self._leading.take()
        syncs = self._syncs() if reads else []
        if not syncs and not self._untold:
            return
        untold = self._untold
        replies = await self._store.run([*syncs, *untold])
        self._untold = []
        now, anew = self._now(), not self._leading.switch.leads
        for step, told in zip([*syncs, *untold], replies, strict=True):
            # What was done by hand goes over all that was known: nothing is left to be merged.
            read = step.name == "sync"
            merged = read or step.name in BY_HAND
            ends = step.name == "probe"
            self._mirror.take(told, now, merged=merged, anew=anew and (read or ends))
            self._hear_of_failures(told, now)
        counted = replies[len(syncs) :]
        if openings := list(self._openings(counted)):
            self._take(await self._store.run(openings))

    def _syncs(self) -> list[Operation]:
        for guard in self._leading.guards[self._mirrored :]:
            self._mirror.add(guard)
            self._mirrored += 1
        return list(self._mirror.syncs(self._now()))

    def _openings(self, replies: Sequence[Told]) -> list[Operation]:
        now, span = self._now(), self._rules.failure_span_seconds
        found = (self._mirror.opening(told, span, now) for told in replies)
        return [self._leading.open(*opening) for opening in found if opening is not None]

    def _take(self, replies: Sequence[Told]) -> None:
        now = self._now()
        for told in replies:
            self._mirror.take(told, now)
            self._hear_of_failures(told, now)

    def _changed(self, told: Told) -> None:
        # What cannot be read is no word of ours; were it one, the next read would tell.
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if self._leading.switch.leads:
                self._mirror.take(told, self._now())
                if self._hear_of_failures(told, self._now()):
                    self._urgent.set()

    def _hear_of_failures(self, told: Told, now: float) -> bool:
        """The calm is over where calls fail; whether that is news."""
        key, stirred = told["key"], told.get("stirred")
        if not stirred or stirred == self._stirred.get(key):
            return False
        self._stirred[key] = stirred
        self._calm_at = now + _STIRRED_SECONDS
        return True

    def _lease(self, part: SharedBreaker | SharedBench, seconds: float) -> Operation:
        lease, length = token_hex(6), milliseconds(seconds)
        if isinstance(part, SharedBench):
            return Operation("hold", hold_key(part.scope), "lease", (lease, length))
        arguments = (part.seen_generation, lease, length, self._rules.probes)
        return Operation("breaker", self._mirror.key_of(part), "lease", arguments)

    def _failed(self, error: Exception, began: float) -> None:
        # Dropped connections are re-established silently.
        if not self._leading.switch.leads or self._now() - began < _READ_SECONDS:
            self._down(error)

    def _down(self, error: Exception) -> None:
        self._leading.cut_off()
        self._untold = [step for step in self._untold if step.name in KEPT]
        self._on_status(str(error) if isinstance(error, StoreError) else type(error).__name__)
        self._looked.set()


def _lease_of(step: Operation) -> str:
    lease = step.arguments[0] if step.kind == "hold" else step.arguments[1]
    return str(lease)


def _raise_if_cancelled() -> None:
    """A task group that fails as its task is cancelled raises the failure alone (before 3.13)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
