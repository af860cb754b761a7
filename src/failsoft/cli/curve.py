"""Draws hits and false hits over the threshold, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from failsoft.degrade.evaluate import Judged

__all__ = ["draw"]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 30, 470, 340
_STEPS = 50

# (what, of pairs that ask the same, guarded, colour, dashes); told apart without colour too.
_CURVES = (
    ("served, guards", True, True, "#0b6e4f", ""),
    ("served, no guards", True, False, "#0b6e4f", "6 4"),
    ("false hits, guards", False, True, "#b3261e", ""),
    ("false hits, no guards", False, False, "#b3261e", "6 4"),
)


def draw(judged: Sequence[Judged]) -> str:
    """An SVG picture with four curves: served and false hits, with and without the guards."""
    lines = "\n".join((*_axes(), *_curves(judged)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="12">\n'
        "<title>Saved answers served over the threshold of similarity</title>\n"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>\n{lines}\n</svg>\n'
    )


def _curves(judged: Sequence[Judged]) -> Iterator[str]:
    for number, (name, same, guarded, colour, dashes) in enumerate(_CURVES):
        of = [one for one in judged if one.pair.same is same]
        stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"'
        points = " ".join(_point(step / _STEPS, of, guarded=guarded) for step in range(_STEPS + 1))
        yield f'<polyline points="{points}" {stroke}/>'
        height = _TOP + 20 + 22 * number
        yield f'<path d="M{_RIGHT + 14} {height}h24" {stroke}/>'
        yield f'<text x="{_RIGHT + 44}" y="{height + 4}">{name}</text>'


def _point(threshold: float, judged: Sequence[Judged], *, guarded: bool) -> str:
    hits = sum(one.hit(threshold, guarded=guarded) for one in judged)
    return f"{_x(threshold):.1f},{_y(hits / len(judged) if judged else 0.0):.1f}"


def _axes() -> Iterator[str]:
    grey = 'stroke="#ccc"'
    for fifth in range(6):
        part = fifth / 5
        yield f'<path d="M{_LEFT} {_y(part):.1f}H{_RIGHT}M{_x(part):.1f} {_TOP}V{_BOTTOM}" {grey}/>'
        yield f'<text x="{_LEFT - 8}" y="{_y(part) + 4:.1f}" text-anchor="end">{part:.0%}</text>'
        yield f'<text x="{_x(part):.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{part:.1f}</text>'
    middle = (_LEFT + _RIGHT) // 2
    yield f'<text x="{middle}" y="{_BOTTOM + 40}" text-anchor="middle">least similarity</text>'


def _x(part: float) -> float:
    return _LEFT + part * (_RIGHT - _LEFT)


def _y(part: float) -> float:
    return _BOTTOM - part * (_BOTTOM - _TOP)
