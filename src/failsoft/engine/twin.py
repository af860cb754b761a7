"""An engine beside another one, for requests that fail on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from failsoft.chaos.inject import Simulation
from failsoft.engine.core import Core
from failsoft.telemetry.events import Event

__all__ = ["Twin"]


class Twin(Core):
    """Calls the same targets by the same rules, but they fail as ``simulation`` says.

    Gates, breakers, budget, bulkheads and counts are its own, so that nothing of it touches the
    lender's requests. Saved answers are read and never written; connections are the lender's. Only
    what was injected is told to the lender's subscribers; all else to ``subscribers``.
    """

    def __init__(
        self,
        lender: Core,
        simulation: Simulation,
        *,
        subscribers: Sequence[Callable[[Event], None]],
    ) -> None:
        super().__init__(
            replace(lender.settings, simulate_error=None, redis_url=None),
            chain=[target.id for target in lender.chain],
            providers=lender.failing(simulation),
            subscribers=subscribers,
            rng=lender.rng,
            ladder=lender.ladder.read_only(),
        )

    async def aclose(self, drain_seconds: float) -> None:
        """Admit nothing more. What is open is the lender's to close."""
        del drain_seconds
        self.closed = True
