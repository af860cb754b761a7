"""Charts as inline SVG, the time line of a drill among them.

Every text that comes from outside is escaped here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from failsoft.chaos.drills.results import Played
from failsoft.chaos.drills.scenario import Step

__all__ = ["ChartRow", "Plot", "Segment", "bars", "lines", "rows_of", "time_line", "trouble_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time under one step's faults."""

    since: float
    until: float
    label: str
    what: str
    trouble: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """The segments of one model, of the network, or of the service's process."""

    who: str
    segments: Sequence[Segment]


def rows_of(played: Sequence[Played], until: float) -> list[ChartRow]:
    """A row for each whom a step was done to, in order of the first."""
    by_who: dict[str, list[Played]] = {}
    for one in played:
        by_who.setdefault(_who(one.step), []).append(one)
    return [ChartRow(who=who, segments=_segments(steps, until)) for who, steps in by_who.items()]


def trouble_of(rows: Sequence[ChartRow]) -> list[tuple[float, float]]:
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


_WIDTH = 1024
_LEFT = 48
_RIGHT = 1014
_TOP = 22
_ROW = 30
_TICKS = 10
_FEWEST = 4  # a scale of counts has whole numbers
_LETTER = 6.6  # a letter's usual width at this size


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What all charts of a report share: the seconds shown, the steps, and the trouble."""

    seconds: float
    steps: Sequence[float]
    trouble: Sequence[tuple[float, float]]

    def x(self, at: float) -> float:
        """Where a second is drawn."""
        return _LEFT + (_RIGHT - _LEFT) * min(max(at, 0.0), self.seconds) / self.seconds


@dataclass(frozen=True, slots=True)
class _Scale:
    """A chart's height: ``top`` is the greatest value, ``bottom`` where 0 is drawn."""

    top: float
    bottom: int

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - _TOP) * min(value, self.top) / self.top


@dataclass(frozen=True, slots=True)
class _Slot:
    number: int
    width: float

    @property
    def since(self) -> float:
        return self.number * self.width


def bars(
    plot: Plot, series: Mapping[str, Mapping[int, int]], *, width: float, what: str, height: int
) -> str:
    """Stacked bars, one a slot of ``width`` seconds; ``series`` by CSS class, lowest first."""
    totals: Counter[int] = Counter()
    for counts in series.values():
        totals.update(counts)
    scale = _Scale(_nice(max([*totals.values(), _FEWEST])), height)

    def drawn() -> Iterator[str]:
        for slot in sorted(totals):
            yield from _stacked(plot, _Slot(slot, width), series, scale)

    return _chart(plot, scale, what, drawn())


def lines(
    plot: Plot, series: Mapping[str, Sequence[tuple[float, float]]], *, what: str, height: int
) -> str:
    """One line for each series of (second, value), by CSS class."""
    values = (value for points in series.values() for _, value in points)
    scale = _Scale(_nice(max(values, default=1.0)), height)
    return _chart(plot, scale, what, _drawn(plot, series, scale))


def time_line(plot: Plot, rows: Sequence[ChartRow]) -> str:
    """What was done to whom: a row for each, trouble in colour, numbered as in the list."""
    height = _TOP + _ROW * len(rows) + 8
    parts = [*_behind(plot, height, shade=False)]
    for number, row in enumerate(rows):
        for segment in row.segments:
            parts += _segment(plot, segment, _TOP + _ROW * number)
    return _svg(height + 20, "the faults over time", (*parts, *_seconds(plot, height)))


def _segment(plot: Plot, segment: Segment, y: float) -> Iterator[str]:
    left, right = plot.x(segment.since), plot.x(segment.until)
    kind = "trouble" if segment.trouble else "calm"
    told = escape(f"{segment.since:.1f} s: {segment.what}")
    yield (
        f'<rect class="{kind}" x="{left:.1f}" y="{y + 3}" width="{max(1.5, right - left):.1f}" '
        f'height="{_ROW - 6}" rx="5"><title>{told}</title></rect>'
    )
    room = int((right - left - 12) / _LETTER)
    text = segment.label if len(segment.label) <= room else segment.label[: room - 1] + "…"
    if room > 4:  # noqa: PLR2004 - less would tell nothing
        ink = ' class="in"' if segment.trouble else ""
        yield f'<text{ink} x="{left + 8:.1f}" y="{y + 19}">{escape(text)}</text>'


def _stacked(
    plot: Plot, slot: _Slot, series: Mapping[str, Mapping[int, int]], scale: _Scale
) -> Iterator[str]:
    left, right = plot.x(slot.since), plot.x(slot.since + slot.width)
    below = 0
    for name, counts in series.items():
        count = counts.get(slot.number, 0)
        if not count:
            continue
        y, base = scale.y(below + count), scale.y(below)
        told = escape(f"{slot.since:.1f} s: {count} {name}")
        yield (
            f'<rect class="bar {name}" x="{left:.1f}" y="{y:.1f}" '
            f'width="{max(0.8, right - left):.1f}" height="{base - y:.1f}">'
            f"<title>{told}</title></rect>"
        )
        below += count


def _drawn(
    plot: Plot, series: Mapping[str, Sequence[tuple[float, float]]], scale: _Scale
) -> Iterator[str]:
    for name, points in series.items():
        path = " ".join(f"{plot.x(at):.1f},{scale.y(value):.1f}" for at, value in points)
        yield f'<polyline class="line {name}" points="{path}"/>'


def _chart(plot: Plot, scale: _Scale, what: str, drawn: Iterator[str]) -> str:
    parts = (*_behind(plot, scale.bottom), *_grid(scale), *drawn, *_marks(plot))
    return _svg(scale.bottom + 20, what, (*parts, *_seconds(plot, scale.bottom)))


def _behind(plot: Plot, height: float, *, shade: bool = True) -> Iterator[str]:
    if shade:
        for since, until in plot.trouble:
            left, right = plot.x(since), plot.x(until)
            yield (
                f'<rect class="shade" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
                f'height="{height - _TOP}"/>'
            )
    for at in plot.steps:
        yield f'<path class="step" d="M{plot.x(at):.1f} {_TOP}V{height}"/>'


def _marks(plot: Plot) -> Iterator[str]:
    """The steps' numbers; those that would lie on each other stand side by side."""
    last = -math.inf
    for number, at in enumerate(plot.steps, 1):
        last = max(plot.x(at), last + 16)
        yield f'<text x="{last:.1f}" y="{_TOP - 7}" text-anchor="middle">{number}</text>'


def _grid(scale: _Scale) -> Iterator[str]:
    for quarter in range(5):
        value = scale.top * quarter / 4
        y = scale.y(value)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _seconds(plot: Plot, height: float) -> Iterator[str]:
    step = _nice(plot.seconds / _TICKS, (1, 2, 5, 10))
    for tick in range(int(plot.seconds / step) + 1):
        at = tick * step
        yield (
            f'<text x="{plot.x(at):.1f}" y="{height + 16}" text-anchor="middle">{at:g}'
            f"{' s' if tick == 0 else ''}</text>"
        )


def _svg(height: float, what: str, parts: Sequence[str]) -> str:
    told = escape(what)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{told}">'
        f"{''.join(parts)}</svg>"
    )


def _nice(most: float, steps: Sequence[float] = (1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 12)) -> float:
    """The next number that is one of ``steps`` times a power of ten; its quarters are short."""
    power = 10.0 ** math.floor(math.log10(max(most, 1e-3)))
    return next(step * power for step in steps if step * power >= most - 1e-9)
