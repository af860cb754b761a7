"""A drill as it is written down: load, time line and thresholds; :mod:`.reading` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from failsoft.chaos.drills.thresholds import Threshold
from failsoft.chaos.proxy.acts import Act

__all__ = ["Load", "Scenario", "ServiceAct", "Step"]

ServiceAct = Literal["kill", "start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked. ``streams``, ``doubled`` and ``known`` are shares of the questions."""

    rate: float
    seconds: float
    requests: int
    at_once: int
    streams: float
    doubled: float
    known: float
    patience_seconds: float

    @property
    def questions(self) -> int:
        """How many questions are asked; second copies come on top."""
        return max(1, min(self.requests, int(self.rate * self.seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes at ``at`` seconds: a model's faults, the network, or the service's process."""

    at: float
    label: str
    model: str | None = None
    faults: tuple[str, ...] = ()
    proxy: Act | None = None
    service: ServiceAct | None = None

    def __str__(self) -> str:
        if self.proxy is not None:
            return f"network: {self.proxy}"
        if self.service is not None:
            return f"service: {self.service}"
        return f"{self.model}: {', '.join(self.faults) or 'healthy'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole drill. ``recovers_at`` is when the last trouble ends, in seconds of the load."""

    name: str
    about: str
    means: str
    load: Load
    steps: tuple[Step, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    recovers_at: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_proxy(self) -> bool:
        """Whether the network is broken in it."""
        return any(step.proxy is not None for step in self.steps)

    @property
    def trouble_at(self) -> float | None:
        """When the first trouble begins; what is set at 0 is how things are on a good day."""
        return next((step.at for step in self.steps if step.at > 0), None)
