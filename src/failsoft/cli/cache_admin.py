"""``failsoft cache``: lists, counts and deletes saved answers, and evaluates the semantic tier.

``evaluate`` counts hits and false hits on pairs of questions and can draw both over the threshold
as SVG.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import CommandError, duration, output, printable
from failsoft.ladder.cache.cache import SemanticCache
from failsoft.ladder.cache.evaluate import (
    CANDIDATES,
    EvaluationTally,
    Judged,
    Pair,
    judge,
    neighbours,
    read_pairs,
    tally,
)
from failsoft.ladder.embedder import Embedder, WordllamaEmbedder

__all__ = ["delete_saved", "draw", "evaluate_cache", "list_saved", "show_stats"]

_Tenant = Annotated[str | None, typer.Option(metavar="NAME", help="Only what this tenant asked.")]
_User = Annotated[str | None, typer.Option(metavar="ID", help="Only what this user asked.")]


def show_stats(config: ConfigFile = None) -> None:
    """Say how many answers are saved, and how much room they take."""
    place = _place(config)
    if not place.exists():
        _say(f"No answers are saved in {place}.")
        return
    with SemanticCache(place, embedder=None) as cache:
        stats = cache.stats()
    room = f"partitions: {stats.partitions}, size: {stats.bytes / 1e6:.1f} MB"
    _say(f"Answers saved in {place}: {stats.entries} ({room}).")


def list_saved(
    tenant: _Tenant = None,
    user: _User = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 100,
    config: ConfigFile = None,
) -> None:
    """Print the questions whose answers are saved: age, who may share it, route, question."""
    place = _place(config)
    found = []
    if place.exists():
        with SemanticCache(place, embedder=None) as cache:
            found = cache.entries(tenant=tenant, user=user, limit=limit)
    for one in found:
        words = (duration(one.age_seconds), one.scope, one.route, " ".join(one.question.split()))
        _say("  ".join(words))
    if not found:
        _say(f"No answers{_whose(tenant, user)} are saved in {place}.")


def delete_saved(
    tenant: _Tenant = None,
    user: _User = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
) -> None:
    """Delete saved answers: all, or what a tenant or a user asked."""
    place, whose = _place(config), _whose(tenant, user)
    if not place.exists():
        _say(f"No answers{whose} are saved in {place}.")
        return
    if not yes:
        _ask(f"Delete all saved answers{whose} from {place}?")
    with SemanticCache(place, embedder=None) as cache:
        count = cache.delete(tenant=tenant, user=user)
    _say(f"{count} saved answers{whose} deleted from {place}.")


def _place(config: Path | None) -> Path:
    return Path(load(config).settings.data_dir) / "cache.db"


def _whose(tenant: str | None, user: str | None) -> str:
    named = {"tenant": tenant, "user": user}
    who = ", ".join(f"{kind} {name}" for kind, name in named.items() if name is not None)
    return f" for {who}" if who else ""


def _ask(question: str) -> None:
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was deleted: answer y, or give --yes")


def _say(line: str) -> None:
    output().print(printable(line), soft_wrap=True)


_WIDTH, _HEIGHT = 640, 400
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 30, 470, 340
_STEPS = 50

# (what, of pairs that ask the same, guarded, colour, dashes); distinct without colour too.
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


_Pairs = Annotated[
    list[Path],
    typer.Argument(
        metavar="PAIRS...",
        help="Files of pairs: a line is a JSON object with asked, saved, same, kind and language.",
    ),
]
_Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves of the pairs.")]
_Threshold = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="The least cosine similarity, instead of the embedder's."),
]


def evaluate_cache(pairs: _Pairs, svg: _Svg = None, threshold: _Threshold = None) -> None:
    """Measure hits on questions that ask the same, and on those that only look alike."""
    if svg is not None and svg.exists() and any(svg.samefile(file) for file in pairs):
        raise CommandError(f"{svg}: is one of the files of pairs: name another for the curves")
    sets = {str(file): read_pairs(file) for file in pairs}
    embedder = WordllamaEmbedder()
    limit = embedder.threshold if threshold is None else threshold
    _say(f"{embedder.name}, guards on, similarity of at least {limit:g}.")
    judged = {name: judge(each, embedder) for name, each in sets.items()}
    _print("Kind", judged, limit, lambda one: one.pair.kind)
    _print("Language", judged, limit, lambda one: one.pair.language)
    for name, each in sets.items():
        _say(_among_all(name, each, embedder, limit))
    if svg is not None:
        _write(svg, draw([one for each in judged.values() for one in each]))


def _print(
    heading: str, judged: dict[str, list[Judged]], limit: float, by: Callable[[Judged], str]
) -> None:
    for same, title in ((True, "Ask the same: answers served"), (False, "Do not: false hits")):
        table = Table(heading, *map(printable, judged), title=title, title_justify="left")
        columns = [_column(each, limit, by, same=same) for each in judged.values()]
        for name in sorted({name for column in columns for name in column}):
            table.add_row(printable(name), *[_cell(column.get(name)) for column in columns])
        totals = [_column(each, limit, lambda _: "all", same=same) for each in judged.values()]
        table.add_section()
        table.add_row("all", *[_cell(column.get("all")) for column in totals])
        output().print(table)


def _column(
    judged: Sequence[Judged], limit: float, by: Callable[[Judged], str], *, same: bool
) -> dict[str, EvaluationTally]:
    return tally(
        (one for one in judged if one.pair.same is same), lambda one: one.hit(limit), by=by
    )


def _cell(count: EvaluationTally | None) -> str:
    return "-" if count is None else f"{count} ({count.share:.1%})"


def _among_all(name: str, pairs: Sequence[Pair], embedder: Embedder, limit: float) -> str:
    trial = neighbours(pairs, embedder, limit)
    return (
        f"{printable(name)}: of {trial.asked} questions put to all saved ones, the nearest "
        f"{CANDIDATES} tried, {trial.right} got the right answer, {trial.wrong} another."
    )


def _write(place: Path, drawing: str) -> None:
    try:
        place.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{place}: cannot be written ({error.strerror}): name another"
        ) from error
    _say(f"Curves drawn in {place}.")
