"""The time line of a drill as segments: what was done to whom, from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from failsoft.chaos.drills.result import Played
from failsoft.chaos.drills.scenario import Step

__all__ = ["Row", "Segment", "rows_of", "trouble_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time in which somebody was as one step had made them."""

    since: float
    until: float
    label: str
    what: str
    trouble: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The segments of one model, of the network, or of the service's process."""

    who: str
    segments: Sequence[Segment]


def rows_of(played: Sequence[Played], until: float) -> list[Row]:
    """A row for each whom a step was done to, in order of the first."""
    by_who: dict[str, list[Played]] = {}
    for one in played:
        by_who.setdefault(_who(one.step), []).append(one)
    return [Row(who=who, segments=_segments(steps, until)) for who, steps in by_who.items()]


def trouble_of(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """When something was wrong, as stretches that do not overlap."""
    found: list[tuple[float, float]] = []
    wrong = (segment for row in rows for segment in row.segments if segment.trouble)
    for segment in sorted(wrong, key=lambda segment: segment.since):
        if found and segment.since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], segment.until))
        else:
            found.append((segment.since, segment.until))
    return found


def _segments(steps: Sequence[Played], until: float) -> list[Segment]:
    usual = next((one.step.faults for one in steps if one.at == 0), ())
    ends = [*(one.at for one in steps[1:]), until]
    return [
        Segment(
            since=one.at,
            until=max(one.at, end),
            label=one.step.label,
            what=str(one.step),
            trouble=_is_trouble(one.step, usual),
        )
        for one, end in zip(steps, ends, strict=True)
    ]


def _is_trouble(step: Step, usual: tuple[str, ...]) -> bool:
    """Anything but how it is on a good day, which is what was set at 0."""
    if step.proxy is not None:
        return step.proxy.name != "pass"
    if step.service is not None:
        return step.service == "kill"
    return step.faults not in ((), usual, ("healthy",))


def _who(step: Step) -> str:
    if step.proxy is not None:
        return "network"
    if step.service is not None:
        return "service"
    return "every model" if step.model == "*" else str(step.model)
