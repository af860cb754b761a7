"""When a breaker opens and for how long: the rules, wherever the counts are kept."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from failsoft.config.settings import BreakerSettings

__all__ = ["Counts", "open_seconds", "trips"]


class Counts(NamedTuple):
    """What was counted of one target.

    ``calls`` and ``failures`` are of the window. ``in_row`` failures came with no success between
    them, the first of them ``row_seconds`` ago. ``older`` calls began before the last failure and
    are still undecided.
    """

    calls: int
    failures: int
    in_row: int
    row_seconds: float
    older: int


def trips(rules: BreakerSettings, counts: Counts) -> str | None:
    """Why a closed breaker opens; ``None`` where it stays closed.

    Failures are told at once and answers take their time: a failure is weighed against the calls
    that began before it and are undecided, as if all of them were to succeed.
    """
    calls, failures, in_row, row_seconds, older = counts
    if (
        in_row >= rules.failure_threshold
        and row_seconds >= rules.failure_span_seconds
        and in_row >= rules.failure_ratio * (in_row + older)
    ):
        return "failures in a row"
    if calls >= rules.min_calls and failures >= rules.failure_ratio * (calls + older):
        return "share of failures"
    return None


def open_seconds(rules: BreakerSettings, reopened: int, rng: Random) -> float:
    """How long it stays open: longer after each probe that failed, up to the longest.

    Jittered upward after the cap, so that processes do not probe in step.
    """
    longest = max(rules.open_seconds, rules.recovery_timeout_seconds)
    grown = rules.open_seconds * rules.open_multiplier ** min(reopened, 60)
    return min(longest, grown) * (1.0 + rng.uniform(0.0, rules.open_jitter))
