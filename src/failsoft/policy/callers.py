"""Sees to it that one caller's requests open no breaker for the others.

What a caller sends may fail at every model by itself. While another caller of the route was
answered within :data:`WELL_SECONDS`, one caller's failures fill at most half of any threshold; a
breaker that one caller opened alone lets the first request of any other through, as its probe.

Processes that share a breaker do not share who called: each says only whether one caller alone
failed in it. Where all of them say so, each lets in whom it has not seen fail. One caller's half is
divided among them, since a caller's requests may go to all.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from threading import Lock
from typing import Final, NamedTuple

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import CircuitState
from failsoft.policy.window import Window

__all__ = ["WELL_SECONDS", "Caller", "FairShare", "RecentCallers"]

WELL_SECONDS: Final = 10.0
"""A model that answered so long ago is no proof any more that models answer."""

_MOST_CALLERS: Final = 64


class RecentCallers:
    """The two callers of a route that were answered last, and when. Safe under threads."""

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self._last: tuple[Hashable, float] | None = None
        self._before: tuple[Hashable, float] | None = None

    def note(self, who: Hashable, now: float) -> None:
        """A model of the route has begun to answer ``who`` at ``now`` (monotonic seconds)."""
        if self._last is not None and self._last[0] != who:
            self._before = self._last
        self._last = who, now

    def another(self, who: Hashable, now: float) -> bool:
        """Whether another caller was answered within :data:`WELL_SECONDS` before ``now``."""
        for known in (self._last, self._before):
            if known is not None and known[0] != who and now - known[1] <= WELL_SECONDS:
                return True
        return False


class Caller(NamedTuple):
    """The caller (anything that identifies one), and who else was answered on that route."""

    who: Hashable
    route: RecentCallers


class FairShare:
    """What each caller has filled of the thresholds of one breaker. Safe under threads.

    At most 64 callers a window are kept apart, those that failed last; callers without a name
    count as one. ``row`` maps those that failed since the target last answered to their weight.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._most_in_row = settings.failure_threshold // 2
        self._most_in_window = int(settings.failure_ratio * settings.min_calls) // 2
        self._lock = Lock()
        self.row: dict[Hashable, int] = {}
        self._opener: Hashable = None
        self._failed: dict[Hashable, Window] = {}
        self._now = 0.0  # of the last failure

    def counts(
        self,
        caller: Caller | None,
        now: float,
        *,
        weight: int,
        probe: bool,
        processes: int,
    ) -> bool:
        """Whether a failure of ``caller`` counts for the breaker; it is noted if so.

        ``processes`` is :attr:`.Breaker.processes`.
        """
        who, well = None, False
        if caller is not None:
            who, well = caller.who, caller.route.another(caller.who, now)
        with self._lock:
            if probe and well and self._opener == who:
                return False
            row, window = self.row.get(who, 0), self._window(who)
            failed, _ = window.totals(now)
            if well and not probe and self._is_full(row, row + weight, failed + 1, processes):
                return False
            self.row[who] = row + weight
            window.add(now)
            self._now = now
            return True

    def answered(self) -> None:
        """The target has begun to answer: no failures are in a row any more."""
        with self._lock:
            self.row.clear()

    def moved(self, after: CircuitState) -> None:
        """The breaker is in another state. What was counted before it closed counts no more."""
        with self._lock:
            if after is CircuitState.OPEN:
                self._opener = self._only_one()
            elif after is CircuitState.CLOSED:
                self._opener = None
                self._failed.clear()
            self.row.clear()

    def lets_in(self, caller: Caller, *, one_caller: bool | None) -> bool:
        """Whether ``caller`` may probe at once an open breaker: another opened it alone.

        ``one_caller`` is :attr:`.Breaker.one_caller`.
        """
        with self._lock:
            if self._opener is None:
                return one_caller is True and not self._failed
            return one_caller is not False and self._opener != caller.who

    def one_caller(self) -> bool:
        """Whether all recent failures here are of one caller that is known by name."""
        with self._lock:
            return self._only_one() is not None

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`."""
        self._lock = Lock()

    def _is_full(self, before: int, row: int, failed: int, processes: int) -> bool:
        """Whether it is too much for one; the first of a row always counts."""
        if before and row > ceil(self._most_in_row / processes):
            return True
        return failed > ceil(self._most_in_window / processes)

    def _only_one(self) -> Hashable:
        """The caller whose failures were the only ones, ``None`` where there were others."""
        recent = {who: w for who, w in self._failed.items() if w.totals(self._now)[0]}
        self._failed = recent
        return next(iter(recent)) if len(recent) == 1 else None

    def _window(self, who: Hashable) -> Window:
        window = self._failed.pop(who, None)
        if window is None:
            rules = self._settings
            window = Window(rules.window_seconds, rules.window_buckets)
            if len(self._failed) >= _MOST_CALLERS:
                self._failed.pop(next(iter(self._failed)))
        self._failed[who] = window  # the one that failed last is the last to be forgotten
        return window
