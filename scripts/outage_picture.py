"""Draws docs/diagrams/outage.svg: an outage and its recovery, as the virtual driver runs them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random
from textwrap import dedent

from benchmarks.failure_recovery import SINCE, Ended
from benchmarks.virtual_driver import Reply, Result, VirtualDriver
from benchmarks.world import CHAIN, poisson

from failsoft.policy.target import Target

__all__ = ["picture"]

RATE, SECONDS, SEED = 20.0, 20.0, 3
_FROM, _TO, _STEP = SINCE - 5.0, SINCE + SECONDS + 10.0, 0.5

_LEFT, _WIDTH, _BAR = 110, 680, 60
_ARRIVALS, _PROBES, _CALLS = 120, 165, 300
_TITLE = "Requests, probes and calls a half second in an outage of 20 s, and after it"
_HEAD = dedent(f"""\
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 345" role="img" aria-label="{_TITLE}">
    <title>{_TITLE}</title>
    <style>
    text {{ font: 13px system-ui, sans-serif; fill: #24292f; }}
    .end {{ text-anchor: end; }} .middle {{ text-anchor: middle; }}
    .out {{ fill: #d0d7de; opacity: 0.5; }} .answered {{ fill: #2da44e; }}
    .notice {{ fill: #d4a72c; }} .call {{ fill: #0969da; }} .probe {{ fill: #8250df; }}
    path {{ stroke: #57606a; fill: none; }}
    @media (prefers-color-scheme: dark) {{
    text {{ fill: #d0d7de; }} path {{ stroke: #8b949e; }} .out {{ fill: #30363d; opacity: 1; }}
    }}
    </style>""")


class _Seen(Ended):
    """Notes which target is called when."""

    def __init__(self) -> None:
        super().__init__(SEED, SECONDS, real=False)
        self.seen: list[tuple[float, Target]] = []

    def reply(self, target: Target, now: float) -> Reply:
        self.seen.append((now, target))
        return super().reply(target, now)


def picture() -> str:
    """The same each time."""
    upstream = _Seen()
    driver = VirtualDriver(CHAIN, upstream, seed=SEED)
    results = driver.run(poisson(RATE, Random(f"arrivals {SEED}"), until=_TO + 5.0))  # noqa: S311 - the same each time
    opened = max(min(at for at, target in driver.opened if target is one) for one in CHAIN)
    probes = [(at, target) for at, target in upstream.seen if opened <= at < upstream.until]
    lines = [*_HEAD.splitlines(), *_frame(), *_requests(results), *_lanes(probes)]
    lines += _bars(_CALLS, _counts(at for at, _ in upstream.seen), "call")
    return "\n".join([*lines, "</svg>", ""])


def _x(at: float) -> int:
    return round(_LEFT + (at - _FROM) / (_TO - _FROM) * _WIDTH)


def _frame() -> Iterator[str]:
    since, until = _x(SINCE), _x(SINCE + SECONDS)
    yield f'<rect class="out" x="{since}" y="30" width="{until - since}" height="285"/>'
    middle = (since + until) // 2
    yield f'<text class="middle" x="{middle}" y="22">every model answers 529</text>'
    for second in range(0, round(_TO - _FROM) + 1, 5):
        at = _FROM + second
        yield f'<text class="middle" x="{_x(at)}" y="335">{at - SINCE:+.0f} s</text>'
    for y, name in ((_ARRIVALS, "requests"), (_CALLS, "calls")):
        yield f'<path d="M{_LEFT},{y} H{_LEFT + _WIDTH}"/>'
        yield f'<text class="end" x="{_LEFT - 10}" y="{y}">{name}</text>'
    for y, name, fill in ((34, "answered", "#2da44e"), (18, "a notice", "#bf8700")):
        place = f'x="{_LEFT - 10}" y="{_ARRIVALS - y}"'
        yield f'<text class="end" {place} style="fill:{fill}">{name}</text>'


def _counts(times: Iterable[float]) -> Counter[int]:
    return Counter(int((at - _FROM) / _STEP) for at in times if _FROM <= at < _TO)


def _requests(results: list[Result]) -> Iterator[str]:
    answered = _counts(r.started_at for r in results if r.answered)
    every = _counts(r.started_at for r in results)
    yield from _bars(_ARRIVALS, every, "notice")
    yield from _bars(_ARRIVALS, answered, "answered")


def _bars(base: int, counts: Counter[int], kind: str) -> Iterator[str]:
    """One bar a step; what goes above the space there is is cut off."""
    width = _WIDTH * _STEP / (_TO - _FROM) - 1
    for step, count in sorted(counts.items()):
        height = min(_BAR, round(count * 3))
        x, y = _x(_FROM + step * _STEP), base - height
        yield f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.0f}" height="{height}"/>'


def _lanes(probes: list[tuple[float, Target]]) -> Iterator[str]:
    for number, target in enumerate(CHAIN):
        y = _PROBES + 25 * number
        yield f'<text class="end" x="{_LEFT - 10}" y="{y + 4}">probes: {target.family}</text>'
        for at, probed in probes:
            if probed is target:
                yield f'<circle class="probe" cx="{_x(at)}" cy="{y}" r="3"/>'
