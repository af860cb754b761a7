"""What shared state costs and what it is worth: real processes and a real Redis on the loopback.

    .venv/bin/python -m benchmarks.shared_state [cost] [outage] [killed] [peers]

1. cost: CPU of a call that goes well, with a Redis and without, and the scripts that are run.
2. outage: eight processes; how soon an opening is in force in all, leases, what comes back.
3. killed: four processes at 500 requests a second when their Redis is killed, and when not.
4. peers: the same tests of other breakers with their Redis storage, installed for this alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.crowd import LocalRedis, Worker, crowd, local_redis
from benchmarks.shared_outage import (
    PROCESSES,
    RATE,
    Probes,
    busiest,
    openings,
    outages,
    percentile,
    probes,
    recovery,
)
from benchmarks.shared_peers import HEAD, peers

WORKER = [sys.executable, "-m", "benchmarks.sharing"]
# Calls a second of one process, 0 for as fast as it can, and how many make a round.
COST_ROUNDS = {0: (3000, 15), 200: (600, 9), 20: (100, 5)}
IDLE_SECONDS = 10.0
OUTAGES, DOWN_SECONDS = 105, (8.0, 20.0)
KILL_PROCESSES, KILL_RATE = 4, 500.0
KILL_AFTER_SECONDS, KILL_SECONDS, KILL_ROUNDS = 1.5, 5.0, 8
PEER_ROUNDS = 10


def cost() -> Iterator[str]:
    """Of one process that shares and one that does not, in turn."""
    yield "| calls | with Redis | without | more, pair by pair | best | bar | scripts a second |"
    yield "|---|---|---|---|---|---|---|"
    with (
        local_redis() as redis,
        crowd(1, [*WORKER, redis.url, "{}"]) as [shares],
        crowd(1, [*WORKER, "-", "{}"]) as [alone],
    ):
        before = redis.scripts()
        time.sleep(IDLE_SECONDS)
        yield f"| none | | | | | | {(redis.scripts() - before) / IDLE_SECONDS:.1f} |"
        for rate, (calls, rounds) in COST_ROUNDS.items():
            for worker in (shares, alone):
                worker.do("cost", rate=0, calls=500)
            ours, theirs, scripts = _in_turn(redis, (shares, alone), rate, calls, rounds)
            yield _cost(f"{rate} a second" if rate else "as fast as can be", ours, theirs, scripts)


def _in_turn(
    redis: LocalRedis, workers: tuple[Worker, Worker], rate: int, calls: int, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    shares, alone = workers
    ours, theirs, scripts = [], [], []
    for _ in range(rounds):
        before, began = redis.scripts(), time.monotonic()
        ours.append(shares.do("cost", rate=rate, calls=calls))
        scripts.append((redis.scripts() - before) / (time.monotonic() - began))
        theirs.append(alone.do("cost", rate=rate, calls=calls))
    return ours, theirs, scripts


def _cost(name: str, ours: list[float], theirs: list[float], scripts: list[float]) -> str:
    more = sorted(mine - other for mine, other in zip(ours, theirs, strict=True))
    spread = f"{median(more):.1f} µs ({more[0]:.1f} to {more[-1]:.1f})"
    return (
        f"| {name} | {median(ours):.1f} µs | {median(theirs):.1f} µs | {spread}"
        f" | {min(ours) - min(theirs):.1f} µs | ≤ 15 µs | {median(scripts):.1f} |"
    )


def outage() -> Iterator[str]:
    """Of eight processes."""
    yield f"| {PROCESSES} processes, {PROCESSES * RATE:.0f} requests a second | figure | bar |"
    yield "|---|---|---|"
    logs = outages(OUTAGES)
    found = list(openings(logs))
    for name, values, bar in (
        ("decided", [each.everywhere - each.decided for each in found], "p99 ≤ 50 ms"),
        ("last failure before it", [each.everywhere - each.failed for each in found], ""),
    ):
        p50, p99, worst = (f"{percentile(values, share) * 1000:.1f}" for share in (0.5, 0.99, 1))
        figures = f"p50 {p50} ms, p99 {p99} ms, longest {worst} ms"
        yield f"| {len(found)} openings: {name}, until in force everywhere | {figures} | {bar} |"
    yield from _probed(f"{OUTAGES} outages", probes(logs))
    for seconds in DOWN_SECONDS:
        logs, back = recovery(seconds)
        name = f"down for {seconds:.0f} s"
        peak = f"{busiest(logs, back):.2f} x steady"
        yield f"| {name}: busiest second of the recovery | {peak} | ≤ 2 x steady |"
        yield from _probed(name, probes(logs))


def _probed(name: str, found: Probes) -> Iterator[str]:
    figures = f"{found.overlaps} of {found.leased}"
    yield f"| {name}: leases that began while another lived | {figures} | 0 |"
    figures = f"{found.given_up}, {found.alone}"
    yield f"| {name}: times the Redis was given up, probes made without it | {figures} | |"


def killed() -> Iterator[str]:
    """Of four processes, in turn with rounds in which nothing is killed."""
    yield "| upstream answers | rounds | failed | p99 killed | not | ratio, pair by pair | bar |"
    yield "|---|---|---|---|---|---|---|"
    with local_redis() as redis, crowd(KILL_PROCESSES, [*WORKER, redis.url, "{}"]) as crew:
        for at_once in (False, True):
            _load(crew, at_once=at_once)
            pairs = [_pair(crew, redis, at_once=at_once) for _ in range(KILL_ROUNDS)]
            p99 = [[percentile(took, 0.99) * 1000 for _, took in pair] for pair in pairs]
            ratios = sorted(with_it / without for with_it, without in p99)
            failed = sum(pair[0][0] for pair in pairs)
            asked = sum(len(pair[0][1]) for pair in pairs)
            with_it, without = (median(each) for each in zip(*p99, strict=True))
            yield (
                f"| {'at once' if at_once else 'after 40 to 60 ms'} | {len(pairs)} |"
                f" {failed} of {asked} | {with_it:.1f} ms | {without:.1f} ms |"
                f" {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | 0 failed, ≤ 1.2 |"
            )


def _pair(
    crew: list[Worker], redis: LocalRedis, *, at_once: bool
) -> tuple[tuple[int, list[float]], tuple[int, list[float]]]:
    without = _load(crew, at_once=at_once)
    with_it = _load(crew, at_once=at_once, at_kill=redis.kill)
    redis.start()
    time.sleep(2.0)
    return with_it, without


def _load(
    crew: list[Worker], *, at_once: bool, at_kill: Callable[[], None] = lambda: None
) -> tuple[int, list[float]]:
    """How many failed, and how long those took that were asked from the kill on."""
    at = time.monotonic() + 0.5
    task = {"at": at, "seconds": KILL_SECONDS, "rate": KILL_RATE / len(crew), "down": []}
    for worker in crew:
        worker.begin("traffic", **task, at_once=at_once)
    time.sleep(max(0.0, at + KILL_AFTER_SECONDS - time.monotonic()))
    now = time.monotonic()
    at_kill()
    asked = [each for worker in crew for each in worker.answer()["asked"]]
    failed = sum(status != "success" for *_, status in asked)
    return failed, [took for due, took, _ in asked if due >= now]


def others() -> Iterator[str]:
    """Of other breakers."""
    yield HEAD
    for kind, found in peers(PEER_ROUNDS).items():
        yield found.row(kind)


PARTS = {"cost": cost, "outage": outage, "killed": killed, "peers": others}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part")
    for name in parser.parse_args().parts or PARTS:  # a KeyError names what there is not
        print(f"\n### {name}\n")
        for line in PARTS[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
