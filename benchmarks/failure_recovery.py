"""Outages and how they end: the rows of :mod:`benchmarks.failure` that are of recovery."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.virtual_driver import Reply, Result, VirtualDriver
from benchmarks.world import CHAIN, Figure, Outage, peak_per_second, percentile, poisson
from failsoft.policy.target import Target

Row = tuple[Callable[..., list[Figure]], tuple[float | str, ...]]

SINCE = 30.0
AFTER = 60.0


class Ended(Outage):
    """An outage from ``SINCE`` on for some seconds; real answers end 4 s after they began.

    ``first`` are when a healthy real call begins, and its first content.
    """

    def __init__(
        self,
        seed: int,
        seconds: float,
        *,
        real: bool,
        models: tuple[Target, ...] = CHAIN,
        hangs: bool = False,
    ) -> None:
        until = SINCE + seconds
        super().__init__(
            seed, SINCE, until, models=models, hangs=hangs, real=real, rest_seconds=4.0
        )
        self.first: list[tuple[float, float]] = []

    def drawn(self, slower: float = 1.0) -> float:
        first = super().drawn(slower)
        self.first.append((self.calls[-1], first))
        return first


def recovered(seed: int, upstream: Ended, rate: float) -> tuple[VirtualDriver, list[Result]]:
    """Run it: arrivals at ``rate`` a second until a minute after, or ten requests after."""
    driver = VirtualDriver(CHAIN, upstream, seed=seed)
    ends = upstream.until + max(AFTER, 10.0 / rate)
    return driver, driver.run(poisson(rate, Random(f"arrivals {seed}"), until=ends))


def begun(result: Result, upstream: Ended) -> bool:
    """Whether it is answered by a model that works again."""
    return result.answered and result.ended_at > upstream.until


def first_success(results: list[Result], upstream: Ended) -> tuple[float, float]:
    """Seconds from the recovery to the first content of all, and that content's own time."""
    if not upstream.real:
        ended = min(r.ended_at for r in results if begun(r, upstream))
        return ended - 0.02 - upstream.until, 0.0
    at, own = min(
        ((at + first, first) for at, first in upstream.first if at >= upstream.until),
        default=(float("inf"), 0.0),
    )
    return at - upstream.until, own


def all_open(driver: VirtualDriver) -> float:
    """When the last of the models was opened for the first time."""
    return max(min(at for at, target in driver.opened if target is one) for one in CHAIN)


def turned_away(results: list[Result], upstream: Ended) -> float:
    """The share that ended with a notice of those who came in the 10 s after the first success."""
    first, _ = first_success(results, upstream)
    back = upstream.until + first
    came = [r for r in results if back <= r.started_at < back + 10.0]
    return sum(not r.answered for r in came) / len(came) if came else 0.0


def all_down(seed: int, seconds: float, rate: float, kind: str) -> list[Figure]:
    """Every model answers 529 for a time, 20/s or 200/s."""
    upstream = Ended(seed, seconds, real=kind == "real")
    driver, results = recovered(seed, upstream, rate)
    during = [r for r in results if SINCE <= r.started_at < upstream.until]
    opened = all_open(driver)
    once_open = [r.seconds for r in during if r.started_at >= opened]
    calls = sum(r.calls for r in during) / len(during)
    first, own = first_success(results, upstream)
    arrivals = [r.started_at for r in results]
    # What the arrivals themselves did in their busiest second, where they are few.
    own_peak = peak_per_second(arrivals, upstream.until, upstream.until + AFTER)
    steady = rate if rate >= 200 else own_peak
    peak = peak_per_second(upstream.calls, upstream.until, upstream.until + AFTER)
    quick = kind == "quick"
    if quick:
        figures = [
            Figure("s to first success", first, 2.0 if rate < 200 else 1.0),
            Figure("calls a request", calls, 0.2 if rate < 200 and seconds < 60 else 0.1),
        ]
    else:
        figures = [
            Figure("s to first success, less its own first content", first - own, 3.0),
            Figure("calls a request", calls, 0.3 if seconds <= 20 else 0.15),
        ]
    ended = sum(r.answered or r.gave_up is not None for r in results) / len(results)
    return [
        Figure("ended with an answer or a notice", ended, 1.0, low=True),
        *figures,
        Figure("busiest second, x", peak / steady, 2.0 if rate >= 200 else 1.3),
        Figure("p99 s once open", percentile(once_open, 0.99), 0.1),
        Figure("turned away in the 10 s after", turned_away(results, upstream), 0.01),
    ]


def all_down_slow(seed: int, seconds: float, rate: float, kind: str) -> list[Figure]:
    """The same at 1/min and 1/s."""
    upstream = Ended(seed, seconds, real=kind == "real")
    _, results = recovered(seed, upstream, rate)
    during = [r for r in results if SINCE <= r.started_at < upstream.until]
    later = [r for r in results if r.started_at >= upstream.until + 6.0]
    most = 6.0 if rate < 1 else 2.2 if seconds < 45 else 1.2
    figures = [
        Figure("first request 6 s after is answered", float(later[0].answered), 1.0, low=True),
        Figure(
            "calls a request", sum(r.calls for r in during) / len(during) if during else 0.0, most
        ),
    ]
    if rate < 1:
        return figures
    return [*figures, Figure("turned away in the 10 s after", turned_away(results, upstream), 0.01)]


def all_hang(seed: int, rate: float) -> list[Figure]:
    """Every model hangs for 90 s."""
    upstream = Ended(seed, 90.0, real=False, hangs=True)
    driver, results = recovered(seed, upstream, rate)
    opened = all_open(driver)
    once_open = [r.seconds for r in results if opened <= r.started_at < upstream.until]
    first, _ = first_success(results, upstream)
    return [
        Figure("p50 s once open", percentile(once_open, 0.5), 0.1),
        Figure("p99 s once open", percentile(once_open, 0.99), 1.0),
        Figure("s to first success", first, 22.0),
    ]


def primary_back(seed: int) -> list[Figure]:
    """The primary alone comes back, 200/s: the ten seconds after beside the ten before."""
    upstream = Ended(seed, 60.0, real=True, models=CHAIN[:1])
    _, results = recovered(seed, upstream, 200.0)

    def seconds(since: float, until: float) -> list[float]:
        return [r.seconds for r in results if since <= r.started_at < until]

    before = seconds(upstream.until - 20.0, upstream.until)
    after = seconds(upstream.until, upstream.until + 20.0)
    return [
        Figure("p50, x before", percentile(after, 0.5) / percentile(before, 0.5), 1.05),
        Figure("p99, x before", percentile(after, 0.99) / percentile(before, 0.99), 1.1),
    ]


class Tenth(Ended):
    """The only model comes back with a tenth of its capacity: 10 calls a second, 10 at once."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, 20.0, real=False)
        self.tokens, self.at, self.used = 10.0, self.until, 0

    def trouble(self, target: Target, now: float) -> Reply | None:
        if now < self.until:
            return super().trouble(target, now)
        self.tokens = min(10.0, self.tokens + (now - self.at) * 10.0)
        self.at = now
        if self.tokens < 1.0:
            return self.overloaded()
        self.tokens -= 1.0
        self.used += 1
        return None


def tenth_back(seed: int) -> list[Figure]:
    """One target back with a tenth of its capacity, 100/s for two minutes."""
    upstream = Tenth(seed)
    driver = VirtualDriver(CHAIN[:1], upstream, seed=seed)
    arrivals = poisson(100.0, Random(f"arrivals {seed}"), until=upstream.until + 120.0)
    driver.run(arrivals)
    openings = sum(at >= upstream.until for at, _ in driver.opened)
    return [
        Figure("capacity used", upstream.used / 1200.0, 0.6, low=True),
        Figure("openings", openings, 25),
    ]


def scenarios() -> dict[str, Row]:
    """The rows, as :func:`benchmarks.failure.scenarios` gives them."""
    found: dict[str, Row] = {}
    for kind in ("quick", "real"):
        for seconds in (20.0, 45.0, 60.0, 300.0):
            for rate in (20.0, 200.0):
                name = f"all down {seconds:g} s, {kind}, {rate:g}/s"
                found[name] = (all_down, (seconds, rate, kind))
            for name, rate in {"1/min": 1 / 60, "1/s": 1.0}.items():
                found[f"all down {seconds:g} s, {kind}, {name}"] = (
                    all_down_slow,
                    (seconds, rate, kind),
                )
    for rate in (20.0, 200.0):
        found[f"all hang 90 s, {rate:g}/s"] = (all_hang, (rate,))
    found["the primary alone comes back, 200/s"] = (primary_back, ())
    found["one target back with a tenth of its capacity, 100/s"] = (tenth_back, ())
    return found
