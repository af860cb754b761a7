"""``failsoft cache evaluate``: what the cache would serve rightly and wrongly, on pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from failsoft.cli.curve import draw
from failsoft.cli.terminal import output, printable
from failsoft.cli.trouble import CommandError
from failsoft.degrade.embedder import Embedder, WordllamaEmbedder
from failsoft.degrade.evaluate import CANDIDATES, Judged, Tally, judge, neighbours, tally
from failsoft.degrade.questions import BUNDLED, Pair, bundled_pairs, read_pairs

__all__ = ["evaluate_cache"]

_Pairs = Annotated[
    Path | None,
    typer.Argument(metavar="PAIRS", help="Your own pairs, one JSON object a line."),
]
_Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves of the pairs.")]
_Threshold = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="The least cosine similarity, instead of the embedder's."),
]


def evaluate_cache(pairs: _Pairs = None, svg: _Svg = None, threshold: _Threshold = None) -> None:
    """Measure hits on questions that ask the same, and on those that only look alike."""
    sets = {str(pairs): read_pairs(pairs)} if pairs else {n: bundled_pairs(n) for n in BUNDLED}
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
) -> dict[str, Tally]:
    return tally(
        (one for one in judged if one.pair.same is same), lambda one: one.hit(limit), by=by
    )


def _cell(count: Tally | None) -> str:
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


def _say(text: str) -> None:
    output().print(printable(text), soft_wrap=True)
