"""Rows of :mod:`benchmarks.failure` about timers: hangs, long prompts, thought, a slower model.

"Real": the first content comes after a lognormal time of median 0.8 s, the end 2 s later.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.virtual_driver import Asked, Reply, Result, VirtualDriver
from benchmarks.world import CHAIN, Figure, Healthy, Outage, Real, percentile, poisson
from failsoft.policy.target import Target

__all__ = ["scenarios"]

Figures = Callable[..., list[Figure]]

_REST_SECONDS = 2.0
_TOKENS_PER_SECOND = 8000


class Slower(Real):
    """Every model takes three times as long from ``since`` on."""

    def __init__(self, seed: int, since: float) -> None:
        super().__init__(seed)
        self.since = since

    def trouble(self, target: Target, now: float) -> Reply | None:
        return self.after(self.drawn(3.0)) if now >= self.since else None


class Reading(Real):
    """Reads the prompt first, 8,000 tokens a second."""

    driver: VirtualDriver

    def well(self) -> Reply:
        return self.after(self.drawn() + self.driver.asked.input_tokens / _TOKENS_PER_SECOND)


class Late(Healthy):
    """The first content comes after a fixed time."""

    def __init__(self, seed: int, seconds: float) -> None:
        super().__init__(seed)
        self.seconds = seconds

    def well(self) -> Reply:
        return Reply((self.seconds,), self.seconds + _REST_SECONDS)


def hanging(seed: int, since: float) -> list[Figure]:
    """The primary hangs for 90 s from ``since`` on, 20/s."""
    upstream = Outage(seed, since, since + 90.0, models=CHAIN[:1], hangs=True, real=True)
    driver = VirtualDriver(CHAIN, upstream, seed=seed)
    results = driver.run(poisson(20.0, Random(f"arrivals {seed}"), until=since + 150.0))
    waits = [_wait(r) for r in results if since <= r.started_at < since + 90.0]
    answered = sum(r.answered for r in results) / len(results)
    figures = [Figure("answered", answered, 1.0, low=True)]
    if not since:  # nothing is learned yet
        until = max(r.called_at - r.started_at for r in results)
        return [*figures, Figure("longest s until the call that answered", round(until, 6), 15.0)]
    return [
        *figures,
        Figure("p99 s to the first content", percentile(waits, 0.99), 5.5),
        Figure("longest s to the first content", max(waits), 9.0),
    ]


def healthy(seed: int, requests: int, sigma: float, bar: float) -> list[Figure]:
    """Nothing is wrong, prompts of 1 k to 100 k tokens, 20/s."""
    upstream, prompts = Reading(seed, sigma), Random(f"prompts {seed}")
    driver = VirtualDriver(
        CHAIN, upstream, seed=seed, asks=lambda: Asked(int(10 ** prompts.uniform(3.0, 5.0)))
    )
    upstream.driver = driver
    results = driver.run(poisson(20.0, Random(f"arrivals {seed}"), count=requests))
    return [
        Figure("cut", _cut(results), bar),
        Figure("runs in which a breaker opened", bool(driver.opened), 0, total=True),
    ]


def late(seed: int, seconds: float, tokens: int, thought: int | None) -> list[Figure]:
    """1,000 requests of which nothing is heard for ``seconds``, 2/s."""
    upstream = Late(seed, seconds)
    asked = Asked(tokens, thought)
    driver = VirtualDriver(CHAIN, upstream, seed=seed, stream=True, asks=lambda: asked)
    results = driver.run(poisson(2.0, Random(f"arrivals {seed}"), count=1000))
    answered = sum(r.answered for r in results) / len(results)
    return [
        Figure("answered", answered, 1.0, low=True),
        Figure("cut", sum(r.cut for r in results), 0, total=True),
        Figure("calls a request", len(upstream.calls) / len(results), 1.0),
    ]


def slower(seed: int) -> list[Figure]:
    """The models become three times as slow after ten minutes, for good, 20/s."""
    since = 600.0
    driver = VirtualDriver(CHAIN, Slower(seed, since), seed=seed)
    results = driver.run(poisson(20.0, Random(f"arrivals {seed}"), until=since + 1260.0))
    minute = [r for r in results if since <= r.started_at < since + 60.0]
    return [
        Figure("cut in the minute after", _cut(minute), 0.03),
        Figure("cut later", _cut([r for r in results if r.started_at >= since + 60.0]), 0.002),
    ]


def _wait(result: Result) -> float:
    """Seconds to the first content, of a request that has none to its end."""
    end = result.ended_at if result.first_content_at is None else result.first_content_at
    return end - result.started_at


def _cut(results: list[Result]) -> float:
    return sum(r.cut for r in results) / sum(r.calls for r in results)


def scenarios(requests: int) -> dict[str, tuple[Figures, tuple[float | None, ...]]]:
    """The rows, as :func:`benchmarks.failure.scenarios` gives them."""
    return {
        "primary hangs 90 s from the start, real, 20/s": (hanging, (0.0,)),
        "primary hangs 90 s from minute 2 on, real, 20/s": (hanging, (120.0,)),
        "healthy, real, prompts of 1 k to 100 k tokens, 20/s": (healthy, (requests, 0.5, 0.001)),
        "the same, twice the spread": (healthy, (requests, 1.0, 0.0025)),
        "thought omitted: 90 s of pings, then text": (late, (90.0, 0, 0)),
        "Chat Completions with effort, 90 s without a byte": (late, (90.0, 0, 8192)),
        "150 k tokens, first content at 25 s": (late, (25.0, 150_000, None)),
        "the models become 3 times slower, real, 20/s": (slower, ()),
    }
