"""The store in this process's memory: what the Lua scripts do, in Python, step by step.

It shares nothing with other processes. It is what the scripts are checked against, and what
everything above a store is tried on without a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from lua_reference import KeptBreaker, KeptHold

from failsoft.shared_state.store import Operation, Told

__all__ = ["MemoryStore"]

_NOTED_MS = 1000


class MemoryStore:
    """A :class:`~failsoft.shared_state.store.Store`; ``clock`` gives its time in milliseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._kept: dict[str, KeptBreaker | KeptHold] = {}
        self._listeners: list[Callable[[Told], None]] = []

    async def run(self, operations: Sequence[Operation]) -> list[Told]:
        """See :meth:`.Store.run`."""
        return [self._do(operation) for operation in operations]

    async def listen(self, on_change: Callable[[Told], None], on_ready: Callable[[], None]) -> None:
        """See :meth:`.Store.listen`."""
        self._listeners.append(on_change)
        try:
            on_ready()
            await asyncio.get_running_loop().create_future()
        finally:
            self._listeners.remove(on_change)

    async def aclose(self) -> None:
        """See :meth:`.Store.aclose`."""

    def clear(self) -> None:
        """Forget everything, as a server that is started again."""
        self._kept.clear()

    def _do(self, operation: Operation) -> Told:
        now, key = self._clock(), operation.key
        kept = self._kept.get(key)
        if kept is None or kept.expires_at <= now:
            kept = KeptBreaker() if operation.kind == "breaker" else KeptHold()
        kept.begin(now)
        getattr(kept, operation.name)(*operation.arguments)
        if kept.written:
            self._kept[key] = kept
            kept.born = kept.born or now
            kept.at = now if now - kept.at >= _NOTED_MS else kept.at
            kept.expires_at = now + kept.keeps() + max(0, kept.until - now)
        told: dict[str, Any] = {"key": key, "now": now, **kept.told()}
        told |= {"born": kept.born, "generation": kept.generation}
        if kept.changed:
            for listener in list(self._listeners):
                listener(dict(told))
        if kept.granted is not None:
            told["granted"] = kept.granted
        if operation.name == "record" and isinstance(kept, KeptBreaker):
            width, buckets = map(int, operation.arguments[9:11])
            told["counts"] = kept.counts(width, buckets)
        return told
