"""Writes the parts of the docs that are made from the code.

They are the tables of docs/how-it-decides.md with their pictures, the failures of
docs/provider-failures.md, and the settings of docs/configuration.md. Tests compare the pages with
what is made here.
"""

from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from random import Random
from textwrap import dedent

from outage_picture import picture
from provider_failures import failure_table

from failsoft.classify import truth_table
from failsoft.config.settings import BreakerSettings
from failsoft.config.show import reference
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Ticket, Transition

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "how-it-decides.md"
SETTINGS = DOCS / "configuration.md"
FAILURES = DOCS / "provider-failures.md"
DIAGRAM = DOCS / "diagrams" / "breaker.svg"
OUTAGE = DOCS / "diagrams" / "outage.svg"

# Small figures, so that a walk meets every rule soon; which rules there are is the code's.
_RULES = BreakerSettings(
    failure_threshold=4,
    failure_span_seconds=0,
    min_calls=6,
    failure_ratio=0.6,
    recovery="fixed",
    recovery_timeout_seconds=5.0,
)
_WALKS, _STEPS = 200, 60
_LEASE_SECONDS = 20.0

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def seen() -> list[Transition]:
    """Every transition a breaker makes, met by walking at random through what can happen to it."""
    met: dict[tuple[str, str, str], Transition] = {}

    def meet(change: Transition) -> None:
        met.setdefault((change.before, change.after, change.reason), change)

    for number in range(_WALKS):
        _walk(Random(number), meet)  # noqa: S311 - the same walks each time
    order = (CLOSED, OPEN, HALF_OPEN)
    return sorted(
        met.values(), key=lambda t: (order.index(t.before), order.index(t.after), t.reason)
    )


def _walk(rng: Random, meet: Callable[[Transition], None]) -> None:
    breaker, now = Breaker(_RULES, on_change=meet), 1000.0
    for _ in range(_STEPS):
        now += rng.choice((0.01, 0.01, 6.0))
        match rng.choice(("call", "call", "call", "call", "by hand", "host")):
            case "call":
                ticket = breaker.allow(now, lease_seconds=_LEASE_SECONDS)
                if isinstance(ticket, Ticket):
                    outcome = rng.choices(list(Outcome), (3, 6, 1))[0]
                    breaker.done(ticket, outcome, now)
            case "by hand" if rng.random() < 1 / 4:
                rng.choice((breaker.isolate, breaker.restore))()
            case "host" if rng.random() < 1 / 20:
                breaker.trip(now, rng.choice(("host down", "host silent")))


def verdicts() -> str:
    """The truth table."""
    return truth_table()


def transitions() -> str:
    """The transitions as a table."""
    rows = [f"| `{t.before}` | `{t.after}` | {t.reason} |\n" for t in seen()]
    return "".join(["| from | to | because |\n|---|---|---|\n", *rows])


PARTS = {
    "verdicts": verdicts,
    "transitions": transitions,
    "failures": failure_table,
    "settings": reference,
}


def written(page: str) -> str:
    """The page with those parts that it has, as the code makes them."""
    for name, make in PARTS.items():
        if f"<!-- {name}: begin -->" not in page:
            continue
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n" + make() + "\n" + end + rest.partition(end)[2]
    return page


def diagram() -> str:
    """The transitions as a picture."""
    reasons: dict[tuple[CircuitState, CircuitState], list[str]] = {}
    for t in seen():
        reasons.setdefault((t.before, t.after), []).append(t.reason)
    lines = [*_HEAD.splitlines(), *map(_box, _PLACES)]
    for (before, after), because in reasons.items():
        lines += _arrow(before, after, because)
    return "\n".join([*lines, "</svg>", ""])


_PLACES = {CLOSED: 90, OPEN: 400, HALF_OPEN: 710}
_TITLE = "The states of a breaker and what moves it from one to another"
_HEAD = dedent(f"""\
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 60 800 260" role="img" aria-label="{_TITLE}">
    <title>{_TITLE}</title>
    <style>
    text {{ font: 14px system-ui, sans-serif; text-anchor: middle; fill: #24292f; }}
    rect, path {{ fill: none; stroke: #57606a; stroke-width: 1.5; }}
    .head {{ fill: #57606a; }}
    .name {{ font-weight: 600; }}
    @media (prefers-color-scheme: dark) {{
    text {{ fill: #d0d7de; }} rect, path {{ stroke: #8b949e; }} .head {{ fill: #8b949e; }}
    }}
    </style>
    <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"
     orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker>""")

# The height of an arrow between two states, and of its words; above the boxes and below them.
_WAYS = {
    (CLOSED, OPEN): (150, 138),
    (OPEN, CLOSED): (180, 205),
    (OPEN, HALF_OPEN): (150, 138),
    (HALF_OPEN, OPEN): (180, 205),
    (HALF_OPEN, CLOSED): (270, 292),
}
_HALF_WIDTH, _TOP, _MIDDLE, _BOTTOM, _LINE = 60, 135, 165, 195, 18


def _box(state: CircuitState) -> str:
    x = _PLACES[state]
    box = f'<rect x="{x - _HALF_WIDTH}" y="{_TOP}" width="{2 * _HALF_WIDTH}" height="60" rx="8"/>'
    return f'{box}<text class="name" x="{x}" y="170">{state}</text>'


def _arrow(before: CircuitState, after: CircuitState, because: list[str]) -> Iterator[str]:
    height, words = _WAYS[before, after]
    start, end = _PLACES[before], _PLACES[after]
    if height > _BOTTOM:
        path = f"M{start},{_BOTTOM} V{height} H{end} V{_BOTTOM + 4}"
    else:
        side = _HALF_WIDTH if end > start else -_HALF_WIDTH
        path = f"M{start + side},{height} H{end - side}"
    yield f'<path d="{path}" marker-end="url(#head)"/>'
    for number, reason in enumerate(because):
        above = height < _MIDDLE
        y = words + (number - (len(because) - 1) * above) * _LINE
        yield f'<text x="{(start + end) // 2}" y="{y}">{escape(reason)}</text>'


if __name__ == "__main__":
    for each in (PAGE, SETTINGS, FAILURES):
        each.write_text(written(each.read_text(encoding="utf-8")), encoding="utf-8")
    DIAGRAM.parent.mkdir(exist_ok=True)
    DIAGRAM.write_text(diagram(), encoding="utf-8")
    OUTAGE.write_text(picture(), encoding="utf-8")
