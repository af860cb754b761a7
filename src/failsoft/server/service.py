"""What all routes of one application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from failsoft.engine.client import Failsoft
from failsoft.server.drain import Drain
from failsoft.server.guard import Guard
from failsoft.server.render import Render

__all__ = ["Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The engine, who may call it, how answers leave, and whether the process ends."""

    ai: Failsoft
    guard: Guard
    render: Render
    drain: Drain = field(default_factory=Drain)

    @classmethod
    def of(cls, ai: Failsoft) -> Self:
        """The parts as the settings of ``ai`` want them."""
        return cls(ai=ai, guard=Guard(ai.settings), render=Render(ai.settings))
