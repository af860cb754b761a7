"""How long to wait before trying again."""

from __future__ import annotations

from random import Random
from typing import Literal

__all__ = ["backoff_seconds", "with_upward_jitter"]

# 2**30 seconds is 34 years: past any cap, and still exact as a float.
_MAX_EXPONENT = 30

# A provider's wait is a floor: waiters are spread above it by a quarter, at most this far.
_UPWARD_SHARE = 0.25
_UPWARD_SECONDS = 5.0


def backoff_seconds(
    retry: int,
    *,
    base: float,
    cap: float,
    rng: Random,
    jitter: Literal["full", "quarter"] = "full",
) -> float:
    """Seconds to wait before retry number ``retry`` (from 0).

    ``full``: ``uniform(0, min(cap, base * 2**retry))``, the full jitter of Brooker, "Exponential
    Backoff And Jitter" (AWS, 2015); ``quarter``: the same ceiling ± 25 %. The ceiling is capped
    *before* the jitter: the other way round every long wait collapses to the cap.
    """
    ceiling = min(cap, base * 2.0 ** min(max(retry, 0), _MAX_EXPONENT))
    if jitter == "full":
        return rng.uniform(0.0, ceiling)
    return ceiling * rng.uniform(0.75, 1.25)


def with_upward_jitter(wait: float, rng: Random, *, fits: float = float("inf")) -> float:
    """A provider's own wait in seconds, spread upward by at most 25 % and at most 5 s.

    Never so far that a wait that fits into ``fits`` seconds is lost.
    """
    spread = wait + rng.uniform(0.0, min(_UPWARD_SHARE * wait, _UPWARD_SECONDS))
    return min(max(wait, fits), spread)
