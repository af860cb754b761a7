"""What the benchmarks of failing have in common: the chain, the upstream, arrivals and figures."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from benchmarks.virtual_driver import Reply, Result
from failsoft.classify import verdict_for
from failsoft.policy.target import Target

CHAIN = tuple(
    Target(
        provider="anthropic",
        model=f"claude-{family}-5-5",
        family=family,
        account="anthropic",
        host="api.anthropic.com",
    )
    for family in ("opus", "sonnet", "haiku")
)
OVERLOADED = verdict_for("overloaded")
_MEDIAN_SECONDS = 0.8


class Healthy:
    """Answers everything."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"upstream {seed}")
        self.calls: list[float] = []

    def reply(self, target: Target, now: float) -> Reply:
        """Note the call and answer it."""
        self.calls.append(now)
        return self.trouble(target, now) or self.well()

    def trouble(self, target: Target, now: float) -> Reply | None:
        """What is wrong with this call, if anything."""

    def well(self) -> Reply:
        """A whole answer."""
        return Reply((self.rng.uniform(0.02, 0.04),), self.rng.uniform(0.04, 0.06))

    def overloaded(self) -> Reply:
        """A 529."""
        return Reply((), self.rng.uniform(0.01, 0.02), OVERLOADED)


class Real(Healthy):
    """Answers as models do: first contents are lognormal, around a median of 0.8 s.

    An answer ends ``rest_seconds`` after its first content.
    """

    def __init__(self, seed: int, sigma: float = 0.5, *, rest_seconds: float = 2.0) -> None:
        super().__init__(seed)
        self.sigma, self.rest_seconds = sigma, rest_seconds

    def after(self, seconds: float) -> Reply:
        """A whole answer that begins after ``seconds``."""
        return Reply((seconds,), seconds + self.rest_seconds)

    def drawn(self, slower: float = 1.0) -> float:
        """Seconds to a first content, ``slower`` times as long."""
        return slower * _MEDIAN_SECONDS * self.rng.lognormvariate(0.0, self.sigma)

    def well(self) -> Reply:
        return self.after(self.drawn())


class Outage(Real):
    """Some models are out from ``since`` to ``until``: they answer 529, or hang.

    Those that are well answer at once, or as models do where they are ``real``.
    """

    def __init__(
        self,
        seed: int,
        since: float,
        until: float = float("inf"),
        *,
        models: tuple[Target, ...] = CHAIN,
        hangs: bool = False,
        real: bool = False,
        rest_seconds: float = 2.0,
    ) -> None:
        super().__init__(seed, rest_seconds=rest_seconds)
        self.since, self.until = since, until
        self.models, self.hangs, self.real = models, hangs, real

    def trouble(self, target: Target, now: float) -> Reply | None:
        if target not in self.models or not self.since <= now < self.until:
            return None
        return Reply((), float("inf")) if self.hangs else self.overloaded()

    def well(self) -> Reply:
        return super().well() if self.real else Healthy.well(self)


def poisson(
    rate: float, rng: Random, *, count: int = sys.maxsize, until: float = float("inf")
) -> Iterator[float]:
    """Arrivals at ``rate`` a second."""
    at = 0.0
    for _ in range(count):
        at += rng.expovariate(rate)
        if at > until:
            return
        yield at


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def peak_per_second(times: list[float], since: float, until: float) -> int:
    """The most arrivals in any second between two moments; ``times`` rise."""
    first, last = bisect_left(times, since), bisect_left(times, until)
    best, end = 0, first
    for begin in range(first, last):
        while end < last and times[end] < times[begin] + 1.0:
            end += 1
        best = max(best, end - begin)
    return best


@dataclass(frozen=True)
class Figure:
    """One measured figure and its bar; ``low`` bars are least values, else most."""

    name: str
    value: float
    bar: float
    low: bool = False
    total: bool = False


def usual(
    results: list[Result], calls: int, *, answered: float, p99: float, most_calls: float
) -> list[Figure]:
    """Answered share, p99 and calls a request."""
    done = sum(result.answered for result in results) / len(results)
    return [
        Figure("answered", done, answered, low=True),
        Figure("p99 s", percentile([r.seconds for r in results], 0.99), p99),
        Figure("calls a request", calls / len(results), most_calls),
    ]


def line(trouble: str, runs: list[list[Figure]]) -> list[str]:
    """The rows of one trouble: median and worst over the seeds, the bar, and whether it holds."""
    lines = []
    for figures in zip(*runs, strict=True):
        first = figures[0]
        values = sorted(figure.value for figure in figures)
        worst = sum(values) if first.total else values[0] if first.low else values[-1]
        holds = worst >= first.bar if first.low else worst <= first.bar
        sign = "≥" if first.low else "≤"
        median = "" if first.total else f"{values[len(values) // 2]:.4g}"
        lines.append(
            f"| {trouble} | {first.name} | {median} | {worst:.4g} | {sign} {first.bar:g} "
            f"| {'yes' if holds else 'NO'} |"
        )
    return lines
