"""The settings of a breaker as arguments, and how long its probes are lent."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, Unpack

from failsoft.config.settings import BreakerSettings, TimerSettings
from failsoft.policy.timers import PROBE_LEASE_MARGIN_SECONDS

__all__ = ["LEASE_SECONDS", "BreakerArguments", "breaker_settings"]

LEASE_SECONDS = TimerSettings().first_content_seconds + PROBE_LEASE_MARGIN_SECONDS
"""As long as the engine lends a probe by default."""

# Alone, a breaker has no other target to send a call to, and what it guards need not be a model:
# it counts every failure as one, however quickly they come, and once closed it is closed.
_ALONE = BreakerSettings(failure_span_seconds=0.0, timeout_weight=1, ramp_seconds=0.0)


class BreakerArguments(TypedDict, total=False):
    """Any of :class:`~failsoft.config.settings.BreakerSettings`."""

    failure_threshold: int
    failure_span_seconds: float
    timeout_weight: int
    failure_ratio: float
    min_calls: int
    window_seconds: float
    window_buckets: int
    open_seconds: float
    open_multiplier: float
    recovery_timeout_seconds: float
    open_jitter: float
    probes: int
    success_threshold: int
    ramp_seconds: float
    metrics_only: bool


def breaker_settings(**given: Unpack[BreakerArguments]) -> BreakerSettings:
    """The settings of a breaker that stands alone; raises for what is out of range."""
    if "open_seconds" not in given and "recovery_timeout_seconds" in given:
        # The longest time open bounds the first, without having to be told twice.
        longest = replace(
            _ALONE, open_seconds=0.01, recovery_timeout_seconds=given["recovery_timeout_seconds"]
        ).recovery_timeout_seconds
        given["open_seconds"] = min(_ALONE.open_seconds, longest)
    return replace(_ALONE, **given)
