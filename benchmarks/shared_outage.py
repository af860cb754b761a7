"""Eight processes in an outage: how soon all know, who probes, what comes back at once."""

from __future__ import annotations

import json
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

from benchmarks.crowd import Worker, crowd, local_redis, together

PROCESSES = 8
RATE = 25.0  # requests a second of each
# An outage after another: short times, so that a hundred fit into some minutes.
QUICK: dict[str, str | float] = {"recovery": "fixed", "recovery_timeout_seconds": 0.4}
DOWN_SECONDS, CYCLE_SECONDS = 0.8, 2.2

Logs = list[dict[str, Any]]


class Opening(NamedTuple):
    """One opening: seconds of the common clock."""

    failed: float  # the last failure that the process which decided had seen
    decided: float
    everywhere: float


def outages(number: int) -> Logs:
    """That many outages, one after another; what each process saw."""
    with _everybody(QUICK) as crew:
        began = time.monotonic() + 1.0
        starts = [began + 1.0 + turn * CYCLE_SECONDS for turn in range(number)]
        down = [[start, start + DOWN_SECONDS] for start in starts]
        return _asking(crew, began, number * CYCLE_SECONDS + 2.0, down)


def recovery(down_seconds: float) -> tuple[Logs, float]:
    """One outage by the rules as they are; what was seen, and when the upstream came back."""
    with _everybody({}) as crew:
        began = time.monotonic() + 1.0
        down = [began + 5.0, began + 5.0 + down_seconds]
        return _asking(crew, began, down_seconds + 40.0, [down]), down[1]


@contextmanager
def _everybody(rules: dict[str, str | float]) -> Iterator[list[Worker]]:
    worker = [sys.executable, "-m", "benchmarks.sharing"]
    with local_redis() as redis, crowd(PROCESSES, [*worker, redis.url, json.dumps(rules)]) as crew:
        yield crew


def _asking(crew: list[Worker], began: float, seconds: float, down: list[list[float]]) -> Logs:
    task = {"at": began, "seconds": seconds, "rate": RATE, "down": down, "at_once": False}
    return together(crew, "traffic", **task)


def openings(logs: Logs) -> Iterator[Opening]:
    """Every change from closed, found by when it was first in force anywhere."""
    firsts = [[at for at, was, *_ in log["changes"] if was == "closed"] for log in logs]
    everybody = sorted(at for seen in firsts for at in seen)
    begins = everybody[:1] + [b for a, b in pairwise(everybody) if b - a > CYCLE_SECONDS / 2]
    for begin in begins:
        decided, failed = min(_decisions(logs, begin))
        seen = [next((at for at in first if at >= begin), float("inf")) for first in firsts]
        yield Opening(failed, decided, max(seen))


def _decisions(logs: Logs, begin: float) -> Iterator[tuple[float, float]]:
    for log in logs:
        place = bisect_left(log["decided"], begin - 0.2)
        for decided in log["decided"][place : place + 1]:
            failures = sorted(log["failures"])
            yield decided, failures[bisect_left(failures, decided) - 1]


class Probes(NamedTuple):
    """What was probed."""

    leased: int  # by the store
    overlaps: int  # of those, begun while another was under way
    alone: int  # by processes that had no store
    given_up: int  # times that a process did without the store


def probes(logs: Logs) -> Probes:
    """All of them."""
    every = [probe for log in logs for probe in log["probes"]]
    spans = sorted((began, ended) for began, ended, leased in every if leased)
    latest, overlaps = 0.0, 0
    for began, ended in spans:
        overlaps += began < latest
        latest = max(latest, ended)
    given_up = sum(len(log["given_up"]) for log in logs)
    return Probes(len(spans), overlaps, len(every) - len(spans), given_up)


def busiest(logs: Logs, since: float) -> float:
    """Arrivals in the busiest second from then on, as a multiple of the steady rate."""
    arrivals = sorted(at for log in logs for at in log["arrivals"])
    last, most, begin = arrivals[-1], 0, since
    while begin < last - 1.0:
        most = max(most, bisect_right(arrivals, begin + 1.0) - bisect_left(arrivals, begin))
        begin += 0.1
    return most / (PROCESSES * RATE)


def percentile(values: Sequence[float], share: float) -> float:
    """Of these values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
