"""One caller among others: the rows of :mod:`benchmarks.failure` that are of who asks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.virtual_driver import Asked, Reply, VirtualDriver
from benchmarks.world import CHAIN, Figure, Healthy, Outage, poisson
from failsoft.classify import verdict_for
from failsoft.policy.target import Target

Row = tuple[Callable[..., list[Figure]], tuple[float, ...]]

SERVER_ERROR = verdict_for("server_error")
SINCE = 30.0


class Poisoned(Healthy):
    """What one tenant sends ends in a 500 at every model."""

    driver: VirtualDriver

    def trouble(self, target: Target, now: float) -> Reply | None:
        if self.driver.asked.who != "one":
            return None
        return Reply((), self.rng.uniform(0.01, 0.02), SERVER_ERROR)


def poisoned(seed: int) -> list[Figure]:
    """One tenant alone sends 40 requests that end in 500; then another asks."""
    upstream, callers = Poisoned(seed), iter(["one"] * 40 + ["other"])
    driver = VirtualDriver(CHAIN, upstream, seed=seed, asks=lambda: Asked(who=next(callers)))
    upstream.driver = driver
    arrivals = [*poisson(2.0, Random(f"arrivals {seed}"), count=40)]
    last = driver.run([*arrivals, arrivals[-1] + 0.5])[-1]
    return [
        Figure("answered", float(last.answered), 1.0, low=True),
        Figure("calls", last.calls, 1.0),
    ]


def one_of_many(seed: int) -> list[Figure]:
    """A dead target of which one principal has 95 % of 20 requests a second."""
    dice = Random(f"callers {seed}")

    def asked() -> Asked:
        return Asked(who="one" if dice.random() < 0.95 else dice.random())

    upstream = Outage(seed, SINCE, models=CHAIN[:1])
    driver = VirtualDriver(CHAIN, upstream, seed=seed, asks=asked)
    driver.run(poisson(20.0, Random(f"arrivals {seed}"), until=SINCE + 30.0))
    return [Figure("s until it opens", min(at for at, _ in driver.opened) - SINCE, 1.0)]


def small_and_large(seed: int) -> list[Figure]:
    """Tenants of 20 requests a second and of one a minute, when every model goes down."""
    rare = Random(f"rare {seed}").uniform(SINCE - 60.0, SINCE)
    often = poisson(20.0, Random(f"arrivals {seed}"), until=SINCE + 30.0)
    arrivals = sorted(
        [(at, "large") for at in often] + [(at, "small") for at in (rare, rare + 60.0)]
    )
    callers = iter([who for at, who in arrivals if at >= 0.0])
    upstream = Outage(seed, SINCE)
    driver = VirtualDriver(CHAIN, upstream, seed=seed, asks=lambda: Asked(who=next(callers)))
    driver.run(at for at, _ in arrivals if at >= 0.0)
    opened = max(min(at for at, target in driver.opened if target is one) for one in CHAIN)
    return [Figure("s until all are open", opened - SINCE, 2.0)]


def scenarios() -> dict[str, Row]:
    """The rows, as :func:`benchmarks.failure.scenarios` gives them."""
    return {
        "one tenant sends 40 that end in 500, then another asks": (poisoned, ()),
        "a dead target, one principal has 95 % of 20/s": (one_of_many, ()),
        "all down, tenants of 20/s and 1/min": (small_and_large, ()),
    }
