"""What must hold for a drill to have gone well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failsoft.chaos.drills.figures import FIGURES, written

__all__ = ["Threshold", "Verdict", "judge"]


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
class Verdict:
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
) -> tuple[Verdict, ...]:
    """Hold the figures to the thresholds, in their order."""
    return tuple(
        Verdict(threshold=threshold, value=figures[threshold.figure]) for threshold in thresholds
    )
