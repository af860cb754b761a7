"""What came of a drill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failsoft.chaos.drills.reply import Reply
from failsoft.chaos.drills.scenario import Scenario, Step
from failsoft.chaos.drills.thresholds import Verdict

__all__ = ["Call", "Played", "Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that reached the provider. Times are seconds of the load.

    ``question`` is which one it was about, None for known ones; ``whole`` whether it was answered
    in full.
    """

    at: float
    question: int | None
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A step, and when it had been carried out, in seconds of the load.

    For a process that is started this is when it listens.
    """

    at: float
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All of it. ``calls`` is None where no simulator counted them; ``began_at`` is epoch time."""

    scenario: Scenario
    where: str
    began_at: float
    replies: Sequence[Reply]
    calls: Sequence[Call] | None
    played: Sequence[Played]
    figures: Mapping[str, float | None]
    verdicts: Sequence[Verdict]

    @property
    def held(self) -> bool:
        """Whether every threshold that could be measured held."""
        return all(verdict.held is not False for verdict in self.verdicts)

    @property
    def levels(self) -> Counter[str]:
        """Requests by how they ended."""
        return Counter(reply.level for reply in self.replies)

    @property
    def notices(self) -> Counter[str]:
        """Notices by their failure's category."""
        told = (reply for reply in self.replies if reply.level in ("minimal", "interrupted"))
        return Counter(reply.category or "unknown" for reply in told)

    @property
    def raw(self) -> Counter[str]:
        """Raw errors, as they came."""
        return Counter(reply.raw for reply in self.replies if reply.raw)

    def as_json(self) -> dict[str, Any]:
        """The figures and what they were judged by, for other programs."""
        return {
            "drill": self.scenario.name,
            "where": self.where,
            "began_at": self.began_at,
            "held": self.held,
            "thresholds": [_verdict(verdict) for verdict in self.verdicts],
            "figures": dict(self.figures),
            "levels": dict(self.levels),
            "notices": dict(self.notices),
            "raw_errors": dict(self.raw),
            "steps": [
                {"at": round(played.at, 3), "label": played.step.label, "what": str(played.step)}
                for played in self.played
            ],
        }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    threshold = verdict.threshold
    return {
        "figure": threshold.figure,
        "at_least" if threshold.least else "at_most": threshold.bound,
        "value": verdict.value,
        "held": verdict.held,
    }
