"""What is known of one call while it is tried and tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from failsoft.classify import classify
from failsoft.classify.verdict import Verdict
from failsoft.config.settings import RetrySettings
from failsoft.engine.clock import monotonic
from failsoft.engine.deadline import inherited_times
from failsoft.parts.listeners import tell
from failsoft.policy.again import seconds_to_wait, worth_another

__all__ = ["RetryEvent", "Rules", "Tries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryEvent:
    """Attempt ``number`` (from 1) failed, and ``wait_seconds`` are waited before the next."""

    number: int
    wait_seconds: float
    verdict: Verdict
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to try again. ``wanted`` decides in place of the verdict where it is given."""

    settings: RetrySettings
    wanted: Callable[[Exception], bool] | None
    provider: str
    on_retry: Callable[[RetryEvent], object] | None
    rng: Random


class Tries:
    """The attempts of one call, begun now. A deadline in force is known from here on."""

    __slots__ = ("_rules", "_times", "failed_calls")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._times = inherited_times(monotonic())
        self.failed_calls = 0

    def failed(self, error: Exception) -> float | None:
        """Seconds to wait before the next attempt; ``None``: there is none, raise the error."""
        self.failed_calls += 1
        rules = self._rules
        verdict = classify(error, provider=rules.provider, now=time.time())
        if self.failed_calls >= rules.settings.max_attempts or not self._wanted(error, verdict):
            return None
        fits = self._times.useful_until - monotonic()
        wait = seconds_to_wait(
            verdict, self.failed_calls, settings=rules.settings, rng=rules.rng, fits=fits
        )
        if wait > fits:
            return None
        event = RetryEvent(
            number=self.failed_calls, wait_seconds=wait, verdict=verdict, error=error
        )
        tell(rules.on_retry, event)
        return wait

    def _wanted(self, error: Exception, verdict: Verdict) -> bool:
        if verdict.reason == "cancelled":
            return False
        wanted = self._rules.wanted
        return worth_another(verdict, self.failed_calls) if wanted is None else wanted(error)
