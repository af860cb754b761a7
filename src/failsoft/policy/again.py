"""The same target once more: whether a failure allows it, and after how long."""

from __future__ import annotations

from random import Random

from failsoft.classify.verdict import RetrySame, Verdict
from failsoft.config.settings import RetrySettings
from failsoft.policy.backoff import backoff_seconds, with_upward_jitter

__all__ = ["seconds_to_wait", "worth_another"]


def worth_another(verdict: Verdict, calls: int) -> bool:
    """Whether the target that failed so may be called again, after ``calls`` calls of it."""
    if verdict.retry_same is RetrySame.ONCE:
        return calls <= 1
    return verdict.retry_same is not RetrySame.NEVER


def seconds_to_wait(
    verdict: Verdict,
    calls: int,
    *,
    settings: RetrySettings,
    rng: Random,
    fits: float = float("inf"),
) -> float:
    """Seconds before the same target may be called again, after ``calls`` calls of it.

    The provider's own wait, jittered upward, else a backoff. The jitter never makes a wait longer
    than ``fits`` seconds where the wait itself is not.
    """
    least = settings.overloaded_min_seconds if verdict.reason == "overloaded" else 0.0
    if verdict.wait_seconds is not None:
        return with_upward_jitter(max(least, verdict.wait_seconds), rng, fits=fits)
    if verdict.retry_same is RetrySame.AFTER_WAIT:
        return with_upward_jitter(settings.rate_limit_default_seconds, rng, fits=fits)
    wait = backoff_seconds(
        calls - 1,
        base=settings.base_delay_seconds,
        cap=settings.max_delay_seconds,
        rng=rng,
        jitter=settings.jitter,
    )
    return max(least, wait)
