"""Which faults are in force, and the fate of each request.

Deterministic by seed: the n-th request to a model draws its numbers from a generator of its own,
seeded by (seed, model, n), one for every fault of the list whether it is looked at or not. So its
fate does not depend on what happened to other requests, nor on when it came.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from failsoft.chaos.simulator.behaviour import Fault
from failsoft.chaos.simulator.bucket import TokenBucket
from failsoft.chaos.simulator.clock import Clock
from failsoft.chaos.simulator.script import Step
from failsoft.chaos.simulator.wire import limit_headers

__all__ = ["EVERY_MODEL", "Board", "Fate"]

EVERY_MODEL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request, the ``number``-th to its model.

    ``fault`` is what strikes it, if anything does; ``latency`` how it is slowed down, drawn from
    ``rng``; ``headers`` belong on its reply, whatever that is.
    """

    number: int
    rng: Random
    fault: Fault | None
    latency: Fault | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Live:
    """A fault in force ``since`` then; an enforced limit has its bucket."""

    fault: Fault
    since: float
    bucket: TokenBucket | None


class Board:
    """The faults of every model, those of ``*`` behind each model's own, and the script's steps."""

    def __init__(self, *, seed: int, clock: Clock, steps: Iterable[Step] = ()) -> None:
        self._seed = seed
        self._clock = clock
        self._live: dict[str, list[_Live]] = {}
        self._counts: Counter[str] = Counter()
        self._steps = deque(sorted(steps, key=lambda step: step.at))

    def set(self, model: str, faults: Iterable[Fault]) -> None:
        """Replace a model's faults; their windows and limits begin now."""
        self._advance()
        self._live[model] = _enforced(faults, since=self._clock.now())

    def remove(self, model: str) -> None:
        """Leave a model to ``*``; nothing happens if it has no faults of its own."""
        self._advance()
        self._live.pop(model, None)

    def faults(self) -> dict[str, tuple[Fault, ...]]:
        """The faults in force by model; their windows may be closed at the moment."""
        self._advance()
        return {model: tuple(each.fault for each in live) for model, live in self._live.items()}

    def decide(self, model: str, *, tokens: int) -> Fate:
        """The fate of a request that has just arrived, with a prompt of about ``tokens``."""
        self._advance()
        self._counts[model] += 1
        number = self._counts[model]
        rng = Random(f"{self._seed}/{model}/{number}")  # noqa: S311 - repeatable, not secret
        drawn = self._draw(model, rng)
        slow = (live.fault for live in drawn if live.fault.name == "latency")
        headers: dict[str, str] = {}
        struck = (live.fault for live in drawn if self._strikes(live, tokens, headers))
        fault = next(struck, None)
        return Fate(
            number=number,
            rng=rng,
            fault=None if fault is None or fault.name == "healthy" else fault,
            latency=next(slow, None),
            headers=headers,
        )

    def _draw(self, model: str, rng: Random) -> list[_Live]:
        now = self._clock.now()
        return [
            live
            for name in dict.fromkeys((model, EVERY_MODEL))
            for live in self._live.get(name, ())
            if rng.random() < live.fault.rate and live.fault.active(now - live.since)
        ]

    def _strikes(self, live: _Live, tokens: int, headers: dict[str, str]) -> bool:
        fault, bucket = live.fault, live.bucket
        if bucket is not None:
            now = self._clock.now()
            allowed = bucket.take(now)
            headers |= limit_headers(fault, bucket, allowed=allowed, epoch=self._clock.epoch(now))
            return not allowed
        if fault.tokens is not None:
            return tokens > fault.tokens
        return fault.name != "latency"

    def _advance(self) -> None:
        now = self._clock.now()
        while self._steps and self._steps[0].at <= now:
            step = self._steps.popleft()
            self._live[step.model] = _enforced(step.faults, since=step.at)


def _enforced(faults: Iterable[Fault], *, since: float) -> list[_Live]:
    return [
        _Live(fault, since, _bucket(fault, since) if fault.name == "rate_limit" else None)
        for fault in faults
    ]


def _bucket(fault: Fault, now: float) -> TokenBucket:
    return TokenBucket(per_second=fault.per_second, burst=fault.burst, now=now)
