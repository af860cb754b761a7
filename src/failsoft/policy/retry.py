"""Decides whether the same target is tried once more after a failure, and after how long."""

from __future__ import annotations

from random import Random
from typing import Literal

from failsoft.classify.verdict import ErrorCategory, RetrySame, Verdict
from failsoft.config.settings import RetrySettings

__all__ = [
    "backoff_seconds",
    "not_before",
    "seconds_to_wait",
    "with_upward_jitter",
    "worth_another",
]


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


def worth_another(verdict: Verdict, calls: int) -> bool:
    """Whether the target that failed so may be called again, after ``calls`` calls of it."""
    if verdict.retry_same is RetrySame.ONCE:
        return calls <= 1
    return verdict.retry_same is not RetrySame.NEVER


def not_before(
    stated: float | None, backoff: float, rng: Random, *, fits: float = float("inf")
) -> float:
    """Seconds to wait: ``backoff``, and at least the wait that the provider ``stated``.

    A stated wait, jittered upward, is a floor under the backoff and never replaces it, so that
    ``retry-after: 0`` does not remove the backoff. Neither the jitter nor the backoff makes a wait
    longer than ``fits`` seconds where the stated wait itself is not.
    """
    if stated is None:
        return backoff
    return max(with_upward_jitter(stated, rng, fits=fits), min(backoff, fits))


def seconds_to_wait(
    verdict: Verdict,
    calls: int,
    *,
    settings: RetrySettings,
    rng: Random,
    fits: float = float("inf"),
) -> float:
    """Seconds before the same target may be called again, after ``calls`` calls of it.

    A backoff, and at least the provider's own wait; see :func:`not_before` for ``fits``.
    """
    backoff = backoff_seconds(
        calls - 1,
        base=settings.base_delay_seconds,
        cap=settings.max_delay_seconds,
        rng=rng,
        jitter=settings.jitter,
    )
    if verdict.reason == "overloaded" or _limited_without_hint(verdict):
        backoff = max(settings.overloaded_min_seconds, backoff)
    return not_before(verdict.wait_seconds, backoff, rng, fits=fits)


def _limited_without_hint(verdict: Verdict) -> bool:
    return verdict.category is ErrorCategory.RATE_LIMITED and not verdict.wait_seconds
