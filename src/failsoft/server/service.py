"""What all routes of one application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from failsoft.engine.client import Failsoft
from failsoft.server.drain import Drain
from failsoft.server.guard import Guard
from failsoft.server.render import Render
from failsoft.server.simulate import Simulations
from failsoft.telemetry.story import Stories

__all__ = ["Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The engine and those beside it, who may call, how answers leave, whether the process ends."""

    ai: Failsoft
    guard: Guard
    render: Render
    simulations: Simulations
    stories: Stories
    drain: Drain = field(default_factory=Drain)

    @classmethod
    def of(cls, ai: Failsoft) -> Self:
        """The parts as the settings of ``ai`` want them."""
        stories, simulations = Stories(), Simulations(ai)
        ai.subscribe(stories)
        simulations.subscribe(stories)
        return cls(
            ai=ai,
            guard=Guard(ai.settings),
            render=Render(ai.settings),
            simulations=simulations,
            stories=stories,
        )
