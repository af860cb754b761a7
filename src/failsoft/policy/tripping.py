"""The rules by which a closed breaker opens: what one process has counted, or a store for many."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from failsoft.config.settings import BreakerSettings

__all__ = ["Counts", "trips"]


class Counts(NamedTuple):
    """What was counted of one target.

    ``calls`` and ``failures`` are of the window. ``row_calls`` failed with no success between them,
    the first of them ``row_seconds`` ago, and weigh ``in_row``: a timeout more than one. ``older``
    calls began before the last failure did, or up to 0.25 s after it, and are still undecided.
    ``on_trial``: it has closed lately.
    """

    calls: int
    failures: int
    in_row: int
    row_calls: int
    row_seconds: float
    older: int
    on_trial: bool = False


def trips(rules: BreakerSettings, counts: Counts) -> str | None:
    """Why a closed breaker opens; ``None`` where it stays closed.

    Failures come at once and answers take their time: a failure is weighed against the calls
    of its time that are undecided, as if all of them were to succeed.
    """
    calls, failures, in_row, row_calls, row_seconds, older, on_trial = counts
    if on_trial:
        return "failed on trial"
    if (
        in_row >= rules.failure_threshold
        and row_calls >= _row_by_chance(rules, calls - row_calls, failures - row_calls)
        and row_seconds >= rules.failure_span_seconds
        and in_row >= rules.failure_ratio * (in_row + older)
    ):
        return "failures in a row"
    if calls >= rules.min_calls and failures >= rules.failure_ratio * (calls + older):
        return "share of failures"
    return None


# Once in a million calls chance alone may bring a row of failures that opens a breaker.
_LOG_OF_CHANCE = log(1e-6)


def _row_by_chance(rules: BreakerSettings, calls: int, failures: int) -> float:
    """The row of failures that a target which fails so often anyway brings by chance alone.

    ``calls`` and ``failures`` are those of the window before the row. A model that answers two
    calls of five is worth a retry, and ten failures in a row are nothing new for it: each 400 calls
    bring them.
    """
    if rules.recovery == "fixed" or calls < rules.min_calls or failures <= 0:
        return 0.0
    return _LOG_OF_CHANCE / log(min(failures / calls, 0.99))
