"""Which faults are in force, and the fate of each request.

Deterministic by seed: the n-th request to a model draws its numbers from a generator of its own,
seeded by (seed, model, n), one for every fault of the list whether it is looked at or not. So its
fate does not depend on what happened to other requests, nor on when it came.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Entry:
    faults: tuple[Fault, ...]
    since: float
    buckets: dict[int, TokenBucket] = field(default_factory=dict)


class Board:
    """The faults of every model, those of ``*`` behind each model's own, and the script's steps."""

    def __init__(self, *, seed: int, clock: Clock, steps: Iterable[Step] = ()) -> None:
        self._seed = seed
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._counts: Counter[str] = Counter()
        self._steps = deque(sorted(steps, key=lambda step: step.at))

    def set(self, model: str, faults: Iterable[Fault]) -> None:
        """Replace a model's faults; their windows and limits begin now."""
        self._advance()
        self._entries[model] = _Entry(tuple(faults), self._clock.now())

    def remove(self, model: str) -> None:
        """Leave a model to ``*``; nothing happens if it has no faults of its own."""
        self._advance()
        self._entries.pop(model, None)

    def faults(self) -> dict[str, tuple[Fault, ...]]:
        """The faults in force by model; their windows may be closed at the moment."""
        self._advance()
        return {model: entry.faults for model, entry in self._entries.items()}

    def decide(self, model: str, *, tokens: int) -> Fate:
        """The fate of a request that has just arrived, with a prompt of about ``tokens``."""
        self._advance()
        self._counts[model] += 1
        number = self._counts[model]
        rng = Random(f"{self._seed}/{model}/{number}")  # noqa: S311 - repeatable, not secret
        struck: Fault | None = None
        latency: Fault | None = None
        headers: dict[str, str] = {}
        for entry, place in self._places(model):
            fault = entry.faults[place]
            drawn = rng.random() < fault.rate
            if not drawn or not fault.active(self._clock.now() - entry.since):
                continue
            if fault.name == "latency":
                latency = latency or fault
            elif struck is None and self._strikes(entry, place, tokens, headers):
                struck = fault
        if struck is not None and struck.name == "healthy":
            struck = None
        return Fate(number=number, rng=rng, fault=struck, latency=latency, headers=headers)

    def _places(self, model: str) -> Iterator[tuple[_Entry, int]]:
        for name in dict.fromkeys((model, EVERY_MODEL)):
            if entry := self._entries.get(name):
                yield from ((entry, place) for place in range(len(entry.faults)))

    def _strikes(self, entry: _Entry, place: int, tokens: int, headers: dict[str, str]) -> bool:
        fault = entry.faults[place]
        if fault.tokens is not None:
            return tokens > fault.tokens
        if fault.name != "rate_limit":
            return True
        now = self._clock.now()
        bucket = entry.buckets.get(place)
        if bucket is None:
            bucket = TokenBucket(per_second=fault.per_second, burst=fault.burst, now=now)
            entry.buckets[place] = bucket
        allowed = bucket.take(now)
        headers |= limit_headers(fault, bucket, allowed=allowed, epoch=self._clock.epoch(now))
        return not allowed

    def _advance(self) -> None:
        now = self._clock.now()
        while self._steps and self._steps[0].at <= now:
            step = self._steps.popleft()
            self._entries[step.model] = _Entry(step.faults, step.at)
