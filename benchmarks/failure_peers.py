"""How requests fare when their models do not: failsoft and its peers, in real time.

    .venv/bin/python -m benchmarks.failure_peers [--only outage hang] [--beside 3] [--rate 20]

Each contestant is a process in an environment of its own (made in ``.peers/`` when first needed)
with a simulated provider of its own. So many as ``--beside`` says run side by side: more take less
time and, on few cores, slow each other down; the table says how late an idle process was woken.
Results are kept in ``docs/charts/``, unless ``--only`` some of the troubles are run; ``--draw``
draws them anew without a run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.crowd import Worker
from benchmarks.peers.charts import bad_days
from benchmarks.peers.roster import BAD_DAY, Entry, running
from benchmarks.peers.troubles import SEED, TROUBLES, Day, Found, Trouble, arrivals, found

CHARTS = Path(__file__).parents[1] / "docs" / "charts"
KEPT = CHARTS / "failure_peers.json"
HEAD = (
    "| {name} | answered | p50 s | p99 s | calls a request | busiest second"
    " | s to first success | text repeated | cut taken for whole | still waiting |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
LEAD_SECONDS = 2.0
NAP_SECONDS = 0.02

Pair = tuple[Worker, Worker]  # a simulated provider, and who asks it


@contextmanager
def pairs_of(entries: Sequence[Entry]) -> Iterator[dict[str, Pair]]:
    """All that can take part."""
    with ExitStack() as stack:
        pairs: dict[str, Pair] = {}
        for entry in entries:
            upstream = Worker([sys.executable, "-m", "benchmarks.peers.upstream", str(SEED)])
            stack.callback(upstream.stop)
            worker = stack.enter_context(running(entry, upstream.answer()["url"]))
            if worker is not None:
                pairs[entry.name] = (upstream, worker)
        yield pairs


def run(trouble: Trouble, day: Day, entries: Sequence[Entry]) -> dict[str, Found]:
    """One trouble, these contestants at once."""
    asked = arrivals(trouble, day)
    with pairs_of(entries) as pairs:
        warm_up(list(pairs.values()), stream=trouble.stream)
        at = time.monotonic() + LEAD_SECONDS
        for upstream, worker in pairs.values():
            upstream.do("trouble", faults=trouble.script(day, at - time.monotonic()))
            worker.begin("traffic", at=at, arrivals=asked, watch=day.watch, stream=trouble.stream)
        told = {name: worker.answer() for name, (_, worker) in pairs.items()}
        return {
            name: found(what["results"], pairs[name][0].do("journal", at=at), day)
            for name, what in told.items()
        }


def warm_up(pairs: Sequence[Pair], *, stream: bool) -> None:
    """A few answers from a healthy upstream: imports, pools, and what is made at the first call."""
    at, arrive = time.monotonic(), [0.0, 1.0, 1.0, 1.5, 2.0]
    for _, worker in pairs:
        worker.begin("traffic", at=at, arrivals=arrive, watch=60.0, stream=stream, name="warm-up")
    for _, worker in pairs:
        worker.answer()


@contextmanager
def watching() -> Iterator[list[float]]:
    """How many seconds late this process, which does nothing, was woken from each short sleep."""
    late: list[float] = []
    stop = Event()

    def nap() -> None:
        while not stop.is_set():
            due = time.monotonic() + NAP_SECONDS
            time.sleep(NAP_SECONDS)
            late.append(time.monotonic() - due)

    thread = Thread(target=nap)
    thread.start()
    try:
        yield late
    finally:
        stop.set()
        thread.join()
        late.sort()


def all_of(trouble: Trouble, day: Day, beside: int) -> dict[str, Any]:
    """One trouble, all contestants, some at a time; what is kept of it, and its table printed."""
    results: dict[str, Found] = {}
    with watching() as late:
        for first in range(0, len(BAD_DAY), beside):
            results |= run(trouble, day, BAD_DAY[first : first + beside])
    print(HEAD.format(name=trouble.name))
    print("\n".join(row(name, what, day) for name, what in results.items()))
    p99, most = (f"{late[int(part * (len(late) - 1))] * 1000:.0f} ms" for part in (0.99, 1.0))
    print(f"\nAn idle process was woken up to {most} late, p99 {p99}.\n", flush=True)
    for name, what in results.items():
        print(f"{trouble.key}, {name}: {what.errors}", file=sys.stderr, flush=True)
    return {name: what.as_json() for name, what in results.items()}


def row(name: str, what: Found, day: Day) -> str:
    """Of the table."""

    def seconds(value: float | None) -> str:
        return f"> {day.watch - day.until:.0f}" if value is None else f"{value:.2f}"

    back = "none" if what.back_seconds is None else f"{what.back_seconds:.1f}"
    return (
        f"| {name} | {what.answered:.1%} | {seconds(what.p50)} | {seconds(what.p99)}"
        f" | {what.calls:.2f} | {what.peak} | {back}"
        f" | {what.repeated} | {what.truncated} | {what.waiting} |"
    )


def draw() -> None:
    """The chart of the results that are kept."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    drawn = bad_days(kept, TROUBLES, Day(rate=kept["rate"]))
    (CHARTS / "failure_peers.svg").write_text(drawn, encoding="utf-8")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[trouble.key for trouble in TROUBLES])
    parser.add_argument("--beside", type=int, default=3)
    parser.add_argument("--rate", type=float, default=Day.rate)
    parser.add_argument("--draw", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Print a table for each trouble, and draw them."""
    asked = options()
    if not asked.draw:
        chosen = [one for one in TROUBLES if one.key in (asked.only or [one.key])]
        kept: dict[str, Any] = {"rate": asked.rate}
        kept |= {one.key: all_of(one, Day(rate=asked.rate), asked.beside) for one in chosen}
        if not asked.only:
            CHARTS.mkdir(exist_ok=True)
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if not asked.only:
        draw()


if __name__ == "__main__":
    main()
