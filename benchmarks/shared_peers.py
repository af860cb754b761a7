"""Other breakers with their own Redis storage, and failsoft, in the same tests."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.crowd import LocalRedis, Worker, crowd, local_redis, together
from benchmarks.peer import FAILURES, OPEN_SECONDS, PROBE_SECONDS
from benchmarks.shared_outage import PROCESSES, percentile

PEERS = ("purgatory==3.0.1", "pybreaker==1.4.1", "redis==8.1.0", "hiredis==3.5.0")
CALLERS = 100
HEAD = (
    "| breaker | of 100 callers at a half-open one | open everywhere, p50, longest"
    " | failed when the Redis is killed | their p99 | added to a call in memory, with Redis"
    " | by the Redis |\n|---|---|---|---|---|---|---|"
)
KILL_PROCESSES, KILL_RATE, KILL_SECONDS = 4, 500.0, 3.0


class Found(NamedTuple):
    """What came of one breaker."""

    reached: list[int]  # of 100 callers at a half-open breaker, in each round
    open_seconds: list[float]
    broken: int  # calls that raised the store's own trouble, of `asked`
    asked: int
    p99_seconds: float  # of the calls after the kill
    in_memory_seconds: float
    shared_seconds: float

    def row(self, kind: str) -> str:
        """Of the table."""
        opened = [f"{percentile(self.open_seconds, share) * 1000:.0f}" for share in (0.5, 1)]
        reached = f"{min(self.reached)} to {max(self.reached)}"
        took = (
            self.in_memory_seconds,
            self.shared_seconds,
            self.shared_seconds - self.in_memory_seconds,
        )
        in_memory, shared, added = (f"{seconds * 1e6:.0f} µs" for seconds in took)
        return (
            f"| {kind} | {reached} | {opened[0]} ms, {opened[1]} ms | {self.broken} of {self.asked}"
            f" | {self.p99_seconds * 1000:.0f} ms | {in_memory}, {shared} | {added} |"
        )


def peers(rounds: int) -> dict[str, Found]:
    """All of them; an environment of the other two's own is made and taken away."""
    with TemporaryDirectory() as folder:
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603 - our own
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)  # noqa: S603 - as above
        return {
            "failsoft": _find(sys.executable, "failsoft", rounds),
            "purgatory": _find(python, "purgatory", rounds),
            "pybreaker": _find(python, "pybreaker", rounds),
        }


def _find(python: str, kind: str, rounds: int) -> Found:
    def run(number: int, url: str) -> AbstractContextManager[list[Worker]]:
        return crowd(number, [python, "-m", "benchmarks.peer", kind, url])

    with local_redis() as redis:
        with run(PROCESSES, redis.url) as crew:
            turns = [_outage(crew, kind) for _ in range(rounds)]
        with run(1, "-") as [alone], run(1, redis.url) as [sharing]:
            in_memory, shared = _took(alone, sharing)
        with run(KILL_PROCESSES, redis.url) as crew:
            ended = _killed(crew, redis)
    return Found(
        [reached for _, reached in turns],
        [seconds for seconds, _ in turns],
        sum(outcome != "done" for _, outcome in ended),
        len(ended),
        percentile([seconds for seconds, _ in ended], 0.99),
        in_memory,
        shared,
    )


def _outage(crew: list[Worker], kind: str) -> tuple[float, int]:
    """Seconds until it is open everywhere, and how many reach the upstream half open."""
    at = time.monotonic() + 1.0
    first, *others = crew
    first.begin("fail", at=at, before=(10 if kind == "failsoft" else FAILURES) - 1)
    for worker in others:
        worker.begin("poll", at=at + 0.001)
    failed, opened = first.answer(), max(worker.answer() for worker in others)
    each, more = divmod(CALLERS, len(crew))
    at = time.monotonic() + OPEN_SECONDS * 1.1 + 0.2
    for place, worker in enumerate(crew):
        worker.begin("stampede", at=at, callers=each + (place < more))
    reached = sum(worker.answer() for worker in crew)
    time.sleep(PROBE_SECONDS)
    together(crew, "recover")
    return opened - failed, reached


def _took(*workers: Worker) -> list[float]:
    """What a call through each adds to its work, in seconds."""
    found: list[list[float]] = [[] for _ in workers]
    for _ in range(5):
        for worker, into in zip(workers, found, strict=True):
            through, alone = worker.do("latency", calls=200)
            into.append(median(through) - median(alone))
    return [median(each) for each in found]


def _killed(crew: list[Worker], redis: LocalRedis) -> list[tuple[float, str]]:
    """What came of the calls of some seconds, the Redis being killed at their beginning."""
    at, rate = time.monotonic() + 1.0, KILL_RATE / len(crew)
    together(crew, "traffic", at=at, seconds=1.0, rate=rate)
    at = time.monotonic() + 0.5
    for worker in crew:
        worker.begin("traffic", at=at, seconds=KILL_SECONDS, rate=rate)
    time.sleep(max(0.0, at + 0.2 - time.monotonic()))
    redis.kill()
    return [(seconds, outcome) for worker in crew for seconds, outcome in worker.answer()]
