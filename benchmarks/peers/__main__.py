"""What a call costs through failsoft and through its peers, in one run, round by round.

    .venv/bin/python -m benchmarks.peers [--rounds 20] [--calls 60] [--draw]

Each contestant is a process in an environment of its own (made in ``.peers/`` when first needed);
the upstream is another, which answers with 50 words, at once or event by event. Only one is asked
at a time, in an order that is shuffled anew in each round. CPU is user and system time of all its
threads; in brackets is between what the middle half of the rounds lies. Results are kept in
``docs/charts/``; ``--draw`` draws them anew without a run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks.crowd import Worker
from benchmarks.peers.charts import costs
from benchmarks.peers.roster import COST, Entry, running
from benchmarks.streams import running as serving

CHARTS = Path(__file__).parents[2] / "docs" / "charts"
KEPT = CHARTS / "peers.json"
BARE = COST[0].name
AT_ONCE = (1, 100)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is asked for, how the upstream writes a stream, and who takes part."""

    title: str
    stream: bool = False
    pieces: bool = False
    entries: tuple[Entry, ...] = COST
    effort: float = 1.0  # of rounds and calls: some take several times as long


SHAPES = {
    "plain": Shape(title="the whole answer, all of it at once"),
    "pieces": Shape(
        title="the whole answer of an upstream that writes a stream event by event",
        pieces=True,
        entries=tuple(entry for entry in COST if entry.module in {"sdk", "ask", "complete"}),
    ),
    "stream": Shape(
        title="the answer as a stream, event by event", stream=True, pieces=True, effort=0.35
    ),
}

Samples = list[tuple[float, float]]  # CPU and wall seconds a call, a round


@contextmanager
def everybody(entries: tuple[Entry, ...], *, pieces: bool = False) -> Iterator[dict[str, Worker]]:
    """All that can take part, each connected to one upstream."""
    how = ["pieces"] if pieces else []
    with serving("upstream", *how) as upstream, ExitStack() as stack:
        workers = {}
        for entry in entries:
            worker = stack.enter_context(running(entry, upstream.url))
            if worker is not None:
                workers[entry.name] = worker
        yield workers


def measure(
    workers: Mapping[str, Worker], *, stream: bool, rounds: int, calls: int
) -> dict[str, dict[int, Samples]]:
    """Every contestant in every round, at each load; the first, shorter round is not counted."""
    samples: dict[str, dict[int, Samples]] = {name: {} for name in workers}
    order, rng = list(workers), Random("rounds")
    # One load after the other: a pool that many left full slows down who comes alone after them.
    for load, round_ in product(AT_ONCE, range(-1, rounds)):
        rng.shuffle(order)
        for name in order:
            count = max(calls, 2 * load) if round_ >= 0 else load + calls // 4
            took = workers[name].do("cost", calls=count, at_once=load, stream=stream)
            if round_ >= 0:
                samples[name].setdefault(load, []).append(tuple(took))
    return samples


def summed(samples: Mapping[str, Mapping[int, Samples]]) -> dict[str, dict[str, dict[str, float]]]:
    """Medians in milliseconds; the ratio to the bare SDK's of the same round, and its quartiles."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name, loads in samples.items():
        rows[name] = {}
        for load, took in loads.items():
            ratios = sorted(
                mine / bare for (mine, _), (bare, _) in zip(took, samples[BARE][load], strict=True)
            )
            rows[name][str(load)] = {
                "cpu_ms": round(median(cpu for cpu, _ in took) * 1000, 3),
                "wall_ms": round(median(wall for _, wall in took) * 1000, 3),
                "ratio": round(median(ratios), 3),
                "lower": round(ratios[len(ratios) // 4], 3),
                "upper": round(ratios[3 * len(ratios) // 4], 3),
            }
    return rows


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """One row a contestant."""
    heads = [f"{what}, {load} at once" for load in AT_ONCE for what in ("CPU", "wall", "CPU ratio")]
    yield "| contestant | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads)
    for name, loads in rows.items():
        cells = [
            f"{of['cpu_ms']:.2f} ms | {of['wall_ms']:.2f} ms"
            f" | {of['ratio']:.2f} ({of['lower']:.2f} to {of['upper']:.2f})"
            for of in loads.values()
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


def run(rounds: int, calls: int) -> dict[str, Any]:
    """All tables, printed as they are made."""
    kept = {}
    for name, shape in SHAPES.items():
        often, many = max(1, int(rounds * shape.effort)), max(1, int(calls * shape.effort))
        with everybody(shape.entries, pieces=shape.pieces) as workers:
            samples = measure(workers, stream=shape.stream, rounds=often, calls=many)
        kept[name] = summed(samples)
        print(f"{shape.title}, {often} rounds of {many} calls\n", *table(kept[name]), "", sep="\n")
        sys.stdout.flush()
    return kept


def main() -> None:
    """Print the tables, and draw the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    if not options.draw:
        kept = run(options.rounds, options.calls)
        CHARTS.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    drawn = costs(json.loads(KEPT.read_text(encoding="utf-8")))
    (CHARTS / "peers.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
