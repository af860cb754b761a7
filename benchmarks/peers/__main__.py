"""What a call costs through failsoft and through its peers, in one run, round by round.

    .venv/bin/python -m benchmarks.peers [--rounds 9] [--calls 200] [--draw]

Each contestant is a process in an environment of its own (made in ``.peers/`` when first needed);
the upstream is another, which answers at once with 50 words. Only one is asked at a time, in an
order that is shuffled anew in each round. CPU is user and system time of all its threads. Results
are kept in ``docs/charts/``; ``--draw`` draws them anew without a run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
SHAPES = {"plain": "the whole answer", "stream": "the answer as a stream, an event a write"}

Samples = list[tuple[float, float]]  # CPU and wall seconds a call, a round


@contextmanager
def everybody(entries: tuple[Entry, ...]) -> Iterator[dict[str, Worker]]:
    """All that can take part, each connected to one upstream."""
    with serving("upstream", "pieces") as upstream, ExitStack() as stack:
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
    for round_ in range(-1, rounds):
        rng.shuffle(order)
        for name in order:
            for load in AT_ONCE:
                count = max(calls, 2 * load) if round_ >= 0 else load + calls // 4
                took = workers[name].do("cost", calls=count, at_once=load, stream=stream)
                if round_ >= 0:
                    samples[name].setdefault(load, []).append(tuple(took))
    return samples


def summed(samples: Mapping[str, Mapping[int, Samples]]) -> dict[str, dict[str, dict[str, float]]]:
    """Medians in milliseconds; the ratio to the bare SDK's of the same round, and its spread."""
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
                "least": round(ratios[0], 3),
                "most": round(ratios[-1], 3),
            }
    return rows


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """One row a contestant."""
    heads = [f"{what}, {load} at once" for load in AT_ONCE for what in ("CPU", "wall", "CPU ratio")]
    yield "| contestant | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads)
    for name, loads in rows.items():
        cells = [
            f"{of['cpu_ms']:.2f} ms | {of['wall_ms']:.2f} ms"
            f" | {of['ratio']:.2f} ({of['least']:.2f} to {of['most']:.2f})"
            for of in loads.values()
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


def run(rounds: int, calls: int) -> dict[str, Any]:
    """Both tables, printed as they are made."""
    kept = {}
    with everybody(COST) as workers:
        for shape, words in SHAPES.items():
            stream = shape == "stream"  # several times the work
            count = calls // 4 if stream else calls
            samples = measure(workers, stream=stream, rounds=rounds, calls=count)
            kept[shape] = summed(samples)
            print(f"{words}, {rounds} rounds of {count} calls\n", *table(kept[shape]), "", sep="\n")
            sys.stdout.flush()
    return kept


def main() -> None:
    """Print the tables, and draw the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=200)
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
