"""A whole provider out: the rows of :mod:`benchmarks.failure` whose chain has a second one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.virtual_driver import Reply, Result, VirtualDriver
from benchmarks.world import CHAIN, Figure, Healthy, percentile, poisson
from failsoft.classify import verdict_for
from failsoft.policy.target import Target

SECOND = Target(
    provider="openai", model="gpt-5.5", account="openai", host="api.openai.com", family="gpt-5.5"
)
BOTH = (*CHAIN, SECOND)
SINCE, SECONDS = 120.0, 90.0
TROUBLES = ("overloaded", "connection", "connection_setup", "hang")


class ProviderOut(Healthy):
    """All models of the first provider are out for a time, each call in the same way."""

    def __init__(self, seed: int, trouble: str) -> None:
        super().__init__(seed)
        self.reason = trouble
        self.first: list[float] = []  # calls of the first provider in its outage

    def trouble(self, target: Target, now: float) -> Reply | None:
        if target is SECOND or not SINCE <= now < SINCE + SECONDS:
            return None
        self.first.append(now)
        if self.reason == "hang":
            return Reply((), float("inf"))
        return Reply((), self.rng.uniform(0.001, 0.02), verdict_for(self.reason))


def provider_out(seed: int, trouble: str) -> list[Figure]:
    """The first provider is out for 90 s, 20/s, streams."""
    upstream = ProviderOut(seed, trouble)
    driver = VirtualDriver(BOTH, upstream, seed=seed, stream=True)
    results = driver.run(poisson(20.0, Random(f"arrivals {seed}"), until=SINCE + SECONDS + 60.0))
    during = [r for r in results if SINCE <= r.started_at < SINCE + SECONDS]
    answered = sum(r.answered for r in results) / len(results)
    figures = [Figure("answered", answered, 1.0, low=True), *_waits(during, trouble)]
    opened = max(min(at for at, target in driver.opened if target is one) for one in CHAIN)
    late = [r for r in during if r.started_at > opened]
    calls = sum(opened < at < SINCE + SECONDS for at in upstream.calls)
    return [*figures, Figure("calls a request once open", calls / len(late), 1.05)]


def _waits(during: list[Result], trouble: str) -> list[Figure]:
    waits = [r.called_at - r.started_at for r in during]
    if trouble == "hang":  # by what was learned before
        return [
            Figure("p99 s until the call that answered", percentile(waits, 0.99), 5.5),
            Figure("longest s until the call that answered", max(waits), 9.0),
        ]
    return [Figure("p99 s until the call that answered", percentile(waits, 0.99), 0.5)]


def scenarios() -> dict[str, tuple[Callable[..., list[Figure]], tuple[str, ...]]]:
    """The rows, as :func:`benchmarks.failure.scenarios` gives them."""
    return {f"first provider out, {one}, 20/s": (provider_out, (one,)) for one in TROUBLES}
