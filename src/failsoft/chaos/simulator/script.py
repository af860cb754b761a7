"""A script: a time line of behaviours, written in TOML.

    [[step]]
    at = 60                          # seconds from the simulator's start
    model = "claude-opus-5-5"        # or "*"
    faults = ["529@0.2;retry_after=5"]

From ``at`` on the step's faults are the model's faults, in place of those it had; ``faults = []``
makes it healthy again. Everything wrong is a :class:`~failsoft.errors.SettingError` naming the
file, the step and the key.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failsoft.chaos.simulator.behaviour import Fault
from failsoft.chaos.simulator.faults import parse_fault
from failsoft.errors import SettingError

__all__ = ["STEP_KEYS", "Step", "load_script", "only_keys", "parse_faults", "parse_steps"]

STEP_KEYS = ("at", "model", "faults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From ``at`` seconds after the start on, ``model`` has these ``faults``."""

    at: float
    model: str
    faults: tuple[Fault, ...]


def load_script(path: Path) -> tuple[Step, ...]:
    """Read a script's file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(str(path), f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"is no valid TOML: {error}") from error
    return parse_steps(data, where=str(path))


def parse_steps(data: Mapping[str, Any], *, where: str) -> tuple[Step, ...]:
    """Read a script's table, ``{"step": [...]}``, into steps in order of time."""
    only_keys(data, ("step",), where)
    steps = data.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise SettingError(f"{where}: step", "must be tables, each headed [[step]]")
    parsed = [_parse_step(step, f"{where}: step {n}") for n, step in enumerate(steps, 1)]
    return tuple(sorted(parsed, key=lambda step: step.at))


def parse_faults(value: Any, *, where: str) -> tuple[Fault, ...]:
    """Read the value of ``faults``: a list of faults, each a string."""
    if not isinstance(value, list) or not all(isinstance(fault, str) for fault in value):
        raise SettingError(where, 'must be a list of faults, for example ["529@0.2"]')
    return tuple(parse_fault(fault, where=where) for fault in value)


def _parse_step(step: Mapping[str, Any], where: str) -> Step:
    only_keys(step, STEP_KEYS, where)
    for key in STEP_KEYS:
        if key not in step:
            raise SettingError(where, f"{key} is missing")
    at, model = step["at"], step["model"]
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < math.inf:
        raise SettingError(f"{where}: at", f"must be seconds, 0 or more; it is {at!r}")
    if not isinstance(model, str) or not model:
        raise SettingError(f"{where}: model", f'must be a model\'s name or "*"; it is {model!r}')
    return Step(at=at, model=model, faults=parse_faults(step["faults"], where=f"{where}: faults"))


def only_keys(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    """Raise SettingError for a key that is none of ``allowed``."""
    for key in table:
        if key not in allowed:
            raise SettingError(where, f"unknown key {key!r}; allowed are {', '.join(allowed)}")
