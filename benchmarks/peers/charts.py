"""The charts of both benchmarks, as SVG that is readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.peers.troubles import Day, Trouble

__all__ = ["bad_days", "costs"]

_STYLE = """
text { font: 12px sans-serif; fill: #1f2328 }
.page { fill: #fff } .head { font-weight: bold } .soft { fill: #59636e }
.ours { fill: #0b6e4f } .theirs { fill: #a8b1bb }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .page { fill: #0d1117 } .soft { fill: #9198a1 }
  .ours { fill: #3fb58a } .theirs { fill: #59636e }
}
"""
_NAMES, _ROW = 190, 18  # pixels: the column of names, the height of a bar's row


def _picture(title: str, width: int, height: int, parts: Iterator[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="page" width="{width}" height="{height}"/>\n{inside}\n</svg>\n'
    )


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(words)}</text>'


def _bar(x: float, y: float, length: float, name: str, words: str) -> str:
    kind = "ours" if name.startswith("failsoft") else "theirs"
    bar = f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{length:.1f}" height="12" rx="2"/>'
    return bar + _text(x + length + 5, y + 10, words)


def costs(kept: Mapping[str, Any]) -> str:
    """CPU a call beside the bare SDK's, at one call at a time and at many."""
    rows: Mapping[str, Mapping[str, Mapping[str, float]]] = kept["plain"]
    loads = list(next(iter(rows.values())))
    most = max(figures[load]["ratio"] for figures in rows.values() for load in loads)

    def parts() -> Iterator[str]:
        for place, load in enumerate(loads):
            x = _NAMES + 320 * place
            yield _text(x, 24, f"CPU a call, {load} at once (SDK = 1)", "head")
            for number, (name, figures) in enumerate(rows.items()):
                y, ratio = 40 + _ROW * number, figures[load]["ratio"]
                if not place:
                    yield _text(10, y + 10, name)
                yield _bar(x, y, ratio / most * 240, name, f"{ratio:.2f}")

    title = "What a call costs beside the bare Anthropic SDK"
    return _picture(title, _NAMES + 640, 56 + _ROW * len(rows), parts())


# (heading, pixels of the longest bar, the figure as a part of the longest, its words)
_Column = tuple[
    str, int, Callable[[dict[str, Any], float], float], Callable[[dict[str, Any], Day], str]
]


def _waited(seconds: float | None, day: Day) -> str:
    return f"> {day.watch - day.until:.0f} s" if seconds is None else f"{seconds:.1f} s"


_COLUMNS: tuple[_Column, ...] = (
    (
        "answered",
        80,
        lambda what, _: what["answered"],
        lambda what, _: f"{what['answered']:.1%}",
    ),
    (
        "p99 to the end",
        80,
        lambda what, longest: (longest if what["p99"] is None else what["p99"]) / longest,
        lambda what, day: _waited(what["p99"], day),
    ),
    (
        "upstream calls a request",
        110,
        lambda what, most: what["calls"] / most,
        lambda what, _: f"{what['calls']:.2f}",
    ),
    (
        "text repeated or cut",
        70,
        lambda what, most: (what["repeated"] + what["truncated"]) / most,
        lambda what, _: str(what["repeated"] + what["truncated"]),
    ),
)


def _most(column: int, results: Mapping[str, dict[str, Any]], day: Day) -> float:
    found = results.values()
    if column == 1:
        longest = [what["p99"] for what in found]
        return day.watch - day.until if None in longest else max(0.001, *longest)
    if column == 2:
        return max(1.0, *(float(what["calls"]) for what in found))
    return max(1.0, *(float(what["repeated"] + what["truncated"]) for what in found))


def bad_days(kept: Mapping[str, Any], troubles: Sequence[Trouble], day: Day) -> str:
    """For each trouble: who answered, how long it took, how many calls it was, what was shown."""
    shown = [trouble for trouble in troubles if trouble.key in kept]
    places = [_NAMES]
    for _, width, _, _ in _COLUMNS:
        places.append(places[-1] + width + 75)

    def parts() -> Iterator[str]:
        yield _text(10, 20, f"{day.rate:g} requests a second, {_seconds(day)} of trouble", "soft")
        y = 48
        for trouble in shown:
            yield _text(10, y, trouble.name, "head")
            results = kept[trouble.key]
            for number, (heading, width, part, words) in enumerate(_COLUMNS):
                x, most = places[number], _most(number, results, day) if number else 1.0
                yield _text(x, y + 16, heading, "soft")
                for line, (name, what) in enumerate(results.items()):
                    at = y + 24 + _ROW * line
                    if not number:
                        yield _text(10, at + 10, name)
                    yield _bar(x, at, part(what, most) * width, name, words(what, day))
            y += 24 + _ROW * len(results) + 26

    height = sum(50 + _ROW * len(kept[trouble.key]) for trouble in shown)
    return _picture("failsoft and its peers on bad days", places[-1], height + 32, parts())


def _seconds(day: Day) -> str:
    return f"{day.until - day.since:g} seconds"
