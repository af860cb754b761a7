"""Keeps the breakers and holds of this process and the store of one mind.

A closed breaker asks nobody: outcomes are told behind the calls, what others did is pushed here,
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
from failsoft.policy.gates import Gates
from failsoft.policy.led_breaker import LedBreaker
from failsoft.policy.led_hold import LedHold
from failsoft.state.connection import REDIS_TIMEOUT_SECONDS
from failsoft.state.leading import Leading, hold_key
from failsoft.state.mirror import Mirror
from failsoft.state.notes import milliseconds
from failsoft.state.store import Operation, Store, StoreError, Told

__all__ = ["Sharing"]

# What went well is told so often. Less than the time that failures must span to open a breaker
# (`failure_span_seconds`): when one process asks for that, all others have told.
_TELL_SECONDS: Final = 0.2

# What is urgent in a flood is told together.
_TOGETHER_SECONDS: Final = 0.005

_READ_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.5


class Sharing:
    """One store and one process's gates. For one event loop, in which :meth:`run` runs.

    ``now`` gives monotonic seconds. ``on_status`` is told what is wrong with the store, in a line
    for the operator, or nothing where all is well.
    """

    def __init__(
        self,
        store: Store,
        leading: Leading,
        gates: Gates,
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
        self._mirror = Mirror(gates)
        self._mirrored = 0
        self._untold: list[Operation] = []
        self._asking: set[str] = set()
        self._urgent = asyncio.Event()
        self._woken = False
        self._looked = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                began = self._now()
                try:
                    await self._session()
                except* StoreError as errors:
                    self._failed(errors.exceptions[0], began)
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

    async def grant(self, parts: Sequence[LedBreaker | LedHold], seconds: float) -> None:
        """Ask for the leases of a probe, and put those that are granted into ``parts``.

        Of one key only one is asked for at a time.
        """
        asked = [(part, self._lease(part, seconds)) for part in parts]
        asked = [(part, step) for part, step in asked if step.key not in self._asking]
        keys = {step.key for _, step in asked}
        self._asking |= keys
        try:
            replies = await self._store.run([step for _, step in asked]) if asked else []
        except StoreError as error:
            self._down(error)
            self._urgent.set()
            return
        finally:
            self._asking -= keys
        now = self._now()
        for (part, _), told in zip(asked, replies, strict=True):
            if lease := self._mirror.granted(told, seconds, now):
                part.grant(lease)
            self._mirror.take(told, now)

    async def _session(self) -> None:
        """Be of one mind with the store until it fails."""
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.listen(self._changed, ready.set))
            try:
                async with asyncio.timeout(2 * REDIS_TIMEOUT_SECONDS):
                    await ready.wait()
            except TimeoutError:
                raise StoreError("no reply in time") from None
            await self._read()
            self._leading.switch.leads = True
            self._on_status("")
            self._looked.set()
            await self._go_on_telling()

    async def _go_on_telling(self) -> None:
        read_at = self._now() + _READ_SECONDS
        while True:
            urgent = await self._waited()
            if not self._leading.switch.leads:
                # A lease was asked for in vain: begin anew, or it would stay cut off for good.
                raise StoreError("no reply in time")
            if self._mirrored < len(self._leading.gates) or self._now() >= read_at:
                await self._read()
                read_at = self._now() + _READ_SECONDS
            await self._tell()
            if urgent:
                await asyncio.sleep(_TOGETHER_SECONDS)

    async def _waited(self) -> bool:
        """Wait until it is time to tell; whether it is urgent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TELL_SECONDS):
                await self._urgent.wait()
        urgent = self._urgent.is_set()
        self._urgent.clear()
        self._woken = False
        return urgent

    async def _read(self) -> None:
        gates, known = self._leading.gates, self._mirrored
        for gate in gates[known:]:
            self._mirror.add(gate)
            self._mirrored += 1
        replies = await self._store.run(list(self._mirror.syncs(self._now())))
        self._take(replies, anew=not self._leading.switch.leads)

    async def _tell(self) -> None:
        # Kept until there is a reply: what is told again after a lost one counts once.
        self._untold += self._leading.take()
        if not self._untold:
            return
        replies = await self._store.run(self._untold)
        self._untold = []
        self._take(replies)
        if openings := list(self._openings(replies)):
            self._take(await self._store.run(openings))

    def _openings(self, replies: Sequence[Told]) -> list[Operation]:
        now, span = self._now(), self._rules.failure_span_seconds
        found = (self._mirror.opening(told, span, now) for told in replies)
        return [self._leading.open(*opening) for opening in found if opening is not None]

    def _take(self, replies: Sequence[Told], *, anew: bool = False) -> None:
        now = self._now()
        for told in replies:
            self._mirror.take(told, now, anew=anew)

    def _changed(self, told: Told) -> None:
        if self._leading.switch.leads:
            self._mirror.take(told, self._now())

    def _lease(self, part: LedBreaker | LedHold, seconds: float) -> Operation:
        lease, length = token_hex(6), milliseconds(seconds)
        if isinstance(part, LedHold):
            return Operation("hold", hold_key(part.scope), "lease", (lease, length))
        arguments = (part.seen_generation, lease, length, self._rules.probes)
        return Operation("breaker", self._mirror.key_of(part), "lease", arguments)

    def _failed(self, error: Exception, began: float) -> None:
        # A connection may break by itself: it is made anew at once, and nobody hears of it.
        if not self._leading.switch.leads or self._now() - began < _READ_SECONDS:
            self._down(error)

    def _down(self, error: Exception) -> None:
        self._leading.cut_off()
        self._untold = []
        self._on_status(str(error))
        self._looked.set()
