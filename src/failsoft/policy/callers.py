"""Sees to it that one caller's requests open no breaker for the others.

What a caller sends may fail at every model by itself. While another caller of the route was
answered within :data:`WELL_SECONDS`, one caller's failures fill at most half of any threshold,
unless another model has answered that caller since they began; a breaker that one caller opened
alone lets the first request of any other through, as its probe.

Processes that share a breaker do not share who called: each says only whether one caller alone
failed in it. Where all of them say so, each lets in whom it has not seen fail. One caller's half is
divided among them, since a caller's requests may go to all.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from threading import Lock
from typing import Final

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, CircuitState
from failsoft.policy.recovery import Probe, Recovery, SlowStart
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

    def since(self, who: Hashable, began: float) -> bool:
        """Whether ``who`` itself was answered after ``began``, as far as that is known."""
        known = (self._last, self._before)
        return any(one is not None and one[0] == who and one[1] > began for one in known)

    def another(self, who: Hashable, now: float) -> bool:
        """Whether another caller was answered within :data:`WELL_SECONDS` before ``now``."""
        for known in (self._last, self._before):
            if known is not None and known[0] != who and now - known[1] <= WELL_SECONDS:
                return True
        return False


class Caller:
    """One request at the guards of its route: who asks, and what it holds there.

    ``who`` is anything that identifies a caller, ``None`` where nothing does. A request makes at
    most one probe, waits for the result of one other, and has one turn in a slow start.
    """

    # Most requests meet targets that are closed: what they begin with is the class's.
    _probed = False
    _awaited: Probe | None = None
    _slow_start: SlowStart | None = None
    _turn = 0.0

    def __init__(self, who: Hashable, answered: RecentCallers, recovery: Recovery) -> None:
        self.who = who
        self.answered = answered
        self.recovery = recovery

    def held_back(self, circuit: str, breaker: Breaker, now: float) -> float | None:
        """When a target that is not closed may be probed, if not now."""
        until = self.recovery.hold_back(circuit, breaker, now)
        return now if until is None and self._probed else until

    def probes(self, circuit: str, breaker: Breaker, now: float, median: float | None) -> None:
        """It begins a probe of a target whose first contents take ``median`` seconds, if known."""
        self._probed = self.recovery.in_turn
        self.recovery.probe_began(circuit, breaker, now, median)

    def await_probe(self, circuit: str, now: float) -> float | None:
        """Wait for the probe of ``circuit`` that is in flight: until when; ``None`` without one."""
        probe = self.recovery.await_probe(circuit, self._awaited, now)
        if probe is None:
            return None
        self._awaited = probe
        return probe.until

    def stop_waiting(self) -> None:
        """The wait for a probe is over."""
        if self._awaited is not None:
            self.recovery.stop_waiting(self._awaited)

    def turn_at(self, circuit: str, now: float) -> float | None:
        """When a call of a closed target may begin, if not now. Takes nothing."""
        if self._holds_turn(circuit):
            return None if self._turn <= now else self._turn
        return self.recovery.turn_at(circuit, now)

    def pass_now(self, circuit: str, now: float) -> float | None:
        """Begin a call of a closed target; where it may not, when its turn is."""
        if not self._holds_turn(circuit):
            return self.recovery.pass_now(circuit, now)
        if self._turn > now:
            return self._turn
        self._slow_start = None
        return None

    def reserve(self, circuit: str, now: float) -> float | None:
        """The turn to wait for; ``None`` where none comes soon enough."""
        if self._holds_turn(circuit):
            return self._turn
        reserved = self.recovery.reserve(circuit, now)
        if reserved is None:
            return None
        self._slow_start, self._turn = reserved
        return self._turn

    def give_back(self) -> None:
        """The request has ended: a turn that it has not used is another's."""
        if self._slow_start is not None:
            self.recovery.give_back(self._slow_start, self._turn)
            self._slow_start = None

    def _holds_turn(self, circuit: str) -> bool:
        """Whether it has a turn that still counts: an opening voids those given before."""
        slow = self._slow_start
        if slow is None:
            return False
        if slow is not self.recovery.slow_start:
            self._slow_start = None
            return False
        return circuit in slow.members


class FairShare:
    """What each caller has filled of the thresholds of one breaker. Safe under threads.

    At most 64 callers a window are kept apart, those that failed last; callers without a name
    count as one. ``row`` maps those that failed since the target last answered, as many at most, to
    their weight.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._most_in_row = settings.failure_threshold // 2
        self._most_in_window = int(settings.failure_ratio * settings.min_calls) // 2
        self._lock = Lock()
        self.row: dict[Hashable, int] = {}
        self._row_began = 0.0
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
        trial: bool,
        processes: int,
    ) -> bool:
        """Whether a failure of ``caller`` counts for the breaker; it is noted if so.

        One of a ``probe``, or on ``trial``, would open it alone. ``processes`` is
        :attr:`.Breaker.processes`.
        """
        who, well = None, False
        if caller is not None and caller.who is not None:
            who, well = caller.who, caller.answered.another(caller.who, now)
        with self._lock:
            if not self.row:
                self._row_began = now
            elif well and caller is not None:
                # Another model answers this caller meanwhile: the failures are not its own.
                well = not caller.answered.since(who, self._row_began)
            if probe and well and self._opener == who:
                return False
            row, window = self.row.get(who, 0), self._window(who)
            failed, _ = window.totals(now)
            full = trial or self._is_full(row, row + weight, failed + 1, processes)
            if well and not probe and full:
                return False
            if len(self.row) >= _MOST_CALLERS and who not in self.row:
                self.row.pop(next(iter(self.row)))
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
