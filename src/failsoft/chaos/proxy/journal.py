"""Which connections there were, and how each ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Connection", "End"]

End = Literal["open", "closed", "reset", "full", "unreachable"]


@dataclass(slots=True, kw_only=True)
class Connection:
    """One connection. Times are seconds since the proxy's start.

    ``sent`` and ``received`` are the bytes that went to the other side and came back through.
    ``end``: ``open`` while it lasts, ``closed`` by either side, ``reset`` by an act, ``full`` when
    there were too many, ``unreachable`` when the other side could not be reached. ``act`` is what
    was in force when it came.
    """

    opened_s: float
    act: str
    ended_s: float | None = None
    sent: int = 0
    received: int = 0
    end: End = "open"
