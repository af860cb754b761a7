"""Which faults are in force, by a script, and the fate of each request.

A script is a time line of behaviours, written in TOML:

    [[step]]
    at = 60                          # seconds from the simulator's start
    model = "claude-opus-5-5"        # or "gpt-*", or "*"
    faults = ["529@0.2;retry_after=5"]

From ``at`` on the step's faults are the model's faults, in place of those it had; ``faults = []``
makes it healthy again. Everything wrong is a :class:`~failsoft.errors.SettingError` naming the
file, the step and the key.

Fates are deterministic by seed: the n-th request to a model draws its numbers from a generator of
its own, seeded by (seed, model, n), one for every fault of the list whether it is looked at or not.
So its fate depends neither on other requests nor on when it came.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from failsoft.chaos.simulator.time import Clock, LimitState, TokenBucket
from failsoft.errors import SettingError
from failsoft.faults.fault_grammar import SimulatedFault, check_model, parse_fault

__all__ = [
    "STEP_KEYS",
    "Board",
    "Fate",
    "ScriptStep",
    "load_script",
    "only_keys",
    "parse_faults",
    "parse_steps",
]

STEP_KEYS = ("at", "model", "faults")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """From ``at`` seconds after the start on, ``model`` has these ``faults``."""

    at: float
    model: str
    faults: tuple[SimulatedFault, ...]


def load_script(path: Path) -> tuple[ScriptStep, ...]:
    """Read a script's file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(str(path), f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"is no valid TOML: {error}") from error
    return parse_steps(data, where=str(path))


def parse_steps(data: Mapping[str, Any], *, where: str) -> tuple[ScriptStep, ...]:
    """Read a script's table, ``{"step": [...]}``, into steps in order of time."""
    only_keys(data, ("step",), where)
    steps = data.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise SettingError(f"{where}: step", "must be tables, each headed [[step]]")
    parsed = [_parse_step(step, f"{where}: step {n}") for n, step in enumerate(steps, 1)]
    return tuple(sorted(parsed, key=lambda step: step.at))


def parse_faults(value: Any, *, where: str) -> tuple[SimulatedFault, ...]:
    """Read the value of ``faults``: a list of faults, each a string."""
    if not isinstance(value, list) or not all(isinstance(fault, str) for fault in value):
        raise SettingError(where, 'must be a list of faults, for example ["529@0.2"]')
    return tuple(parse_fault(fault, where=where) for fault in value)


def _parse_step(step: Mapping[str, Any], where: str) -> ScriptStep:
    only_keys(step, STEP_KEYS, where)
    for key in STEP_KEYS:
        if key not in step:
            raise SettingError(where, f"{key} is missing")
    at, model = step["at"], step["model"]
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < math.inf:
        raise SettingError(f"{where}: at", f"must be seconds, 0 or more; it is {at!r}")
    if not isinstance(model, str) or not model:
        raise SettingError(f"{where}: model", f"must be a model's name; it is {model!r}")
    check_model(model, where=f"{where}: model")
    return ScriptStep(
        at=at, model=model, faults=parse_faults(step["faults"], where=f"{where}: faults")
    )


def only_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    """Raise SettingError for a key that is none of ``allowed``."""
    for key in table:
        if key not in allowed:
            raise SettingError(where, f"unknown key {key!r}; allowed are {', '.join(allowed)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one request, the ``number``-th to its model.

    ``fault`` is what strikes it, if anything does; ``latency`` how it is slowed down, drawn from
    ``rng``; ``limit`` is the enforced limit it came under, whose headers belong on its reply.
    """

    number: int
    rng: Random
    fault: SimulatedFault | None
    latency: SimulatedFault | None
    limit: LimitState | None


@dataclass(frozen=True, slots=True)
class _Live:
    """A fault in force ``since`` then; an enforced limit has its bucket."""

    fault: SimulatedFault
    since: float
    bucket: TokenBucket | None


class Board:
    """The faults of every model, and the script's steps.

    Faults of a name that ends in ``*`` are those of all models that begin so. A model's own come
    first, then those of longer beginnings, at last those of ``*``.
    """

    def __init__(self, *, seed: int, clock: Clock, steps: Iterable[ScriptStep] = ()) -> None:
        self._seed = seed
        self._clock = clock
        self._live: dict[str, list[_Live]] = {}
        self._counts: Counter[str] = Counter()
        self._steps = deque(sorted(steps, key=lambda step: step.at))

    def set(self, model: str, faults: Iterable[SimulatedFault]) -> None:
        """Replace the faults of a model or a beginning; windows and limits begin now."""
        check_model(model, where="model")
        self._advance()
        self._live[model] = _enforced(faults, since=self._clock.now())

    def remove(self, model: str) -> None:
        """Forget the faults of a model or a beginning; nothing happens if there are none."""
        self._advance()
        self._live.pop(model, None)

    def faults(self) -> dict[str, tuple[SimulatedFault, ...]]:
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
        limits: list[LimitState] = []
        struck = (live.fault for live in drawn if self._strikes(live, tokens, limits))
        fault = next(struck, None)
        return Fate(
            number=number,
            rng=rng,
            fault=None if fault is None or fault.name == "healthy" else fault,
            latency=next(slow, None),
            limit=limits[-1] if limits else None,
        )

    def _draw(self, model: str, rng: Random) -> list[_Live]:
        now = self._clock.now()
        return [
            live
            for name in (model, *self._beginnings(model))
            for live in self._live.get(name, ())
            if rng.random() < live.fault.rate and live.fault.active(now - live.since)
        ]

    def _beginnings(self, model: str) -> list[str]:
        names = (name for name in self._live if name.endswith("*") and name != model)
        return sorted((name for name in names if model.startswith(name[:-1])), key=len)[::-1]

    def _strikes(self, live: _Live, tokens: int, limits: list[LimitState]) -> bool:
        fault, bucket = live.fault, live.bucket
        if bucket is not None:
            now = self._clock.now()
            allowed = bucket.take(now)
            limits.append(bucket.state(allowed=allowed, epoch=self._clock.epoch(now)))
            return not allowed
        if fault.tokens is not None:
            return tokens > fault.tokens
        return fault.name != "latency"

    def _advance(self) -> None:
        now = self._clock.now()
        while self._steps and self._steps[0].at <= now:
            step = self._steps.popleft()
            self._live[step.model] = _enforced(step.faults, since=step.at)


def _enforced(faults: Iterable[SimulatedFault], *, since: float) -> list[_Live]:
    return [
        _Live(fault, since, _bucket(fault, since) if fault.name == "rate_limit" else None)
        for fault in faults
    ]


def _bucket(fault: SimulatedFault, now: float) -> TokenBucket:
    return TokenBucket(per_second=fault.per_second, burst=fault.burst, now=now)
