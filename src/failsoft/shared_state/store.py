"""What a store of shared state does: one operation is one atomic step on one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

__all__ = ["Operation", "Store", "StoreError", "Told"]

Told: TypeAlias = Mapping[str, Any]
"""What a key has become: the fields that ``breaker.lua`` and ``hold.lua`` tell, times in
milliseconds of the store's clock, and ``now`` by that clock."""


class StoreError(Exception):
    """The store cannot be reached, or not in time; the message is for the operator."""


class Operation(NamedTuple):
    """One step: ``name`` and ``arguments`` as in the script of that ``kind``."""

    kind: Literal["breaker", "hold"]
    key: str
    name: str
    arguments: tuple[str | int, ...] = ()


class Store(Protocol):
    """For one event loop. Everything raises :class:`StoreError` where it cannot be done in time."""

    async def run(self, operations: Sequence[Operation]) -> list[Told]:
        """Do these, in order, in one round trip; each is atomic, all of them together are not."""
        ...

    async def listen(self, on_change: Callable[[Told], None], on_ready: Callable[[], None]) -> None:
        """Tell of every change until cancelled. ``on_ready`` is called when that begins."""
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...
