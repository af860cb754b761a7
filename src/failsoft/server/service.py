"""What all routes of one application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from failsoft.engine.client import Failsoft
from failsoft.server.drain import Drain
from failsoft.server.guard import Guard
from failsoft.server.render import Render
from failsoft.telemetry.story import Stories

__all__ = ["Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The engine, who may call it, how answers leave, what happened, and whether it ends."""

    ai: Failsoft
    guard: Guard
    render: Render
    drain: Drain = field(default_factory=Drain)
    stories: Stories = field(default_factory=Stories)

    @classmethod
    def of(cls, ai: Failsoft) -> Self:
        """The parts as the settings of ``ai`` want them."""
        service = cls(ai=ai, guard=Guard(ai.settings), render=Render(ai.settings))
        ai.subscribe(service.stories)
        return service
