"""Whether a store works, and what to do if not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """Whether a store works. ``problem`` is one line for the operator, empty when it does.

    ``since`` is the epoch second of the last change; ``None`` where there was none yet.
    ``set_aside`` is where a damaged file is now, in whose place a new one was begun.
    """

    name: str
    up: bool
    problem: str
    since: float | None
    set_aside: str = ""
