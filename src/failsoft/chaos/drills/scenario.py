"""A drill as it is written down: load, time line and thresholds.

:mod:`failsoft.chaos.drills.scenario_files` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from failsoft.chaos.drills.figures import FIGURES, written
from failsoft.chaos.tcp_proxy import Act

__all__ = ["DrillVerdict", "Load", "Scenario", "ServiceAct", "Step", "Threshold", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A bound of one figure. ``least``: whether the figure must reach it, or must not exceed it."""

    figure: str
    least: bool
    bound: float

    def __str__(self) -> str:
        word = "at least" if self.least else "at most"
        return f"{FIGURES[self.figure].title}: {word} {written(self.figure, self.bound)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillVerdict:
    """A threshold and the figure measured; ``None`` where it could not be measured here."""

    threshold: Threshold
    value: float | None

    @property
    def held(self) -> bool | None:
        """Whether it held; None for what was not measured."""
        if self.value is None:
            return None
        bound = self.threshold.bound
        return self.value >= bound if self.threshold.least else self.value <= bound

    @property
    def off_by(self) -> float:
        """By how much it did not hold; 0 where it did or is not known."""
        if self.value is None or self.held:
            return 0.0
        return abs(self.value - self.threshold.bound)

    def __str__(self) -> str:
        threshold, name = self.threshold, self.threshold.figure
        if self.held is None:
            return f"{threshold}: not measured here"
        if self.held:
            return f"{threshold}: held with {written(name, self.value)}"
        off = written(name, self.off_by)
        side = "below" if threshold.least else "above"
        return f"{threshold}: NOT held, it is {written(name, self.value)}, {off} {side}"


def judge(
    thresholds: tuple[Threshold, ...], figures: Mapping[str, float | None]
) -> tuple[DrillVerdict, ...]:
    """Hold the figures to the thresholds, in their order."""
    return tuple(
        DrillVerdict(threshold=threshold, value=figures[threshold.figure])
        for threshold in thresholds
    )


ServiceAct = Literal["kill", "start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The traffic. ``streams``, ``doubled`` and ``known`` are shares of the questions."""

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
