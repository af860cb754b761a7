"""How long things take: a fixed number of milliseconds, or a distribution of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random
from typing import Literal

__all__ = ["Latency", "parse_latency", "write_number"]

_FORM = re.compile(r"(uniform|lognormal)\(([^,()]+),([^,()]+)\)")
_WANTED = "milliseconds (300), uniform(LOW,HIGH) or lognormal(MEDIAN,SIGMA)"


@dataclass(frozen=True, slots=True)
class Latency:
    """``fixed``: ``first`` ms. ``uniform``: from ``first`` to ``second`` ms.

    ``lognormal``: median ``first`` ms, ``second`` the sigma of its logarithm (0.5 is a usual one).
    """

    shape: Literal["fixed", "uniform", "lognormal"] = "fixed"
    first: float = 0.0
    second: float = 0.0

    def draw(self, rng: Random) -> float:
        """One latency in seconds."""
        if self.shape == "uniform":
            return rng.uniform(self.first, self.second) / 1000
        if self.shape == "lognormal":
            return self.first * math.exp(rng.gauss(0, self.second)) / 1000
        return self.first / 1000

    def __str__(self) -> str:
        if self.shape == "fixed":
            return write_number(self.first)
        return f"{self.shape}({write_number(self.first)},{write_number(self.second)})"


def write_number(number: float) -> str:
    """Write a number so that it reads back exactly: 300, 0.5."""
    return repr(number).removesuffix(".0")


def parse_latency(text: str) -> Latency:
    """Read ``300``, ``uniform(50,200)``, ``lognormal(400,0.5)``; ValueError says what is wanted."""
    found = _FORM.fullmatch(text.replace(" ", ""))
    try:
        if found is None:
            return _checked(Latency("fixed", float(text)))
        shape: Literal["uniform", "lognormal"] = "uniform" if found[1] == "uniform" else "lognormal"
        return _checked(Latency(shape, float(found[2]), float(found[3])))
    except ValueError:
        raise ValueError(f"must be {_WANTED}") from None


def _checked(latency: Latency) -> Latency:
    numbers_are_sane = all(0 <= n < math.inf for n in (latency.first, latency.second))
    if not numbers_are_sane or (latency.shape == "uniform" and latency.second < latency.first):
        raise ValueError
    return latency
