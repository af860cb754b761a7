"""Learns how long a target takes to its first content, and from that how long to wait for it.

A histogram of the times, of equal steps on a logarithmic scale, that decays with time. The period
is ``p50 · (p95/p50)²``, which about 0.05 % of a lognormal exceed whatever its spread. What a timer
of ours cut took longer than its period: how much longer is not known.

Two things are no news about how long a target takes. A target that answers nothing is a matter for
its breaker: what was cut counts once it has answered again, and not at all where its breaker opened
meanwhile. And a model that has changed for good needs another period, not better figures for the
old one: a period that cuts too much *gives way* to the fixed one for a time, and is learned from
the beginning.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import accumulate
from math import exp
from threading import Lock
from typing import Final, NamedTuple, Protocol

from failsoft.policy.timers import KnownPeriods
from failsoft.policy.window import Window

__all__ = ["FirstContents", "GaveWay", "Learned", "LearnedPeriod", "Silent"]

# Sixteen steps to a doubling are 4 % each; from 8 ms to 34 minutes, and one for all above.
_STEPS_PER_DOUBLING: Final = 16
_LEAST_SECONDS: Final = 2.0**-7
_STEPS: Final = 18 * _STEPS_PER_DOUBLING
_EDGES: Final = [
    *(_LEAST_SECONDS * 2.0 ** (step / _STEPS_PER_DOUBLING) for step in range(_STEPS + 1)),
    float("inf"),
]

_DECAY_SECONDS: Final = 600.0
_MOST_SAMPLES: Final = 1000.0
_ENOUGH_SAMPLES: Final = 200.0
# The period is worked out again at most so often.
_REFRESH_SECONDS: Final = 1.0

# Of the calls of a minute, the share that it may cut; fewer than five say nothing.
_MINUTE: Final = 60.0
_BUCKETS: Final = 12
_CUT_SHARE: Final = 0.01
_CUT_LEAST: Final = 5
_FIRST_FIXED_SECONDS: Final = 60.0
_LONGEST_FIXED_SECONDS: Final = 600.0


class Learned(NamedTuple):
    """A target's first contents as far as known, in seconds without any allowance for a prompt.

    ``why`` is ``learned``, ``few samples``, or ``gave way``, for ``fixed_seconds`` more; only where
    it is ``learned`` there is a ``period`` (infinite, where one call of twenty took too long to be
    counted), and a ``median`` if that is finite. ``samples`` are what is left of them.
    """

    why: str
    samples: float
    period: float | None
    median: float | None
    fixed_seconds: float


class GaveWay(NamedTuple):
    """A period that cut ``cuts`` of the ``calls`` of a minute; the fixed one holds for a time."""

    thinks: bool
    period_seconds: float
    cuts: int
    calls: int
    fixed_seconds: float


class LearnedPeriod:
    """The period of one target, with thought or without. Safe under threads.

    Times are monotonic seconds given by the caller. Calls name the ``epoch`` that they began in:
    what began before a period gave way, or before the breaker opened, is not learned from.
    """

    __slots__ = (
        "_bins",
        "_cuts",
        "_decayed_at",
        "_fixed_for",
        "_fixed_until",
        "_fresh",
        "_known",
        "_lock",
        "_median",
        "_minute",
        "_refresh_at",
        "_samples",
        "_thinks",
        "_unproven",
        "epoch",
    )

    def __init__(self, *, thinks: bool, named: float | None = None) -> None:
        self.epoch = 0
        self._known = KnownPeriods(named, None)
        self._thinks = thinks
        self._lock = Lock()
        self._bins = [0.0] * (_STEPS + 1)
        # Times that are in no bin yet: each is sorted in with the others of its second.
        self._fresh: list[float] = []
        self._minute = Window(_MINUTE, _BUCKETS)
        self._decayed_at: float | None = None
        self._refresh_at = self._fixed_until = float("-inf")
        self._fixed_for = 0.0
        self._samples = 0.0
        self._median: float | None = None
        # Calls that were cut since the target last answered, and those that this period cut.
        self._unproven = self._cuts = 0

    @property
    def samples(self) -> int:
        """About how many calls the period was last worked out from."""
        return int(self._samples)

    def periods(self, now: float) -> KnownPeriods:
        """Seconds to wait for a first content, as the settings name and as calls have shown."""
        if now >= self._refresh_at:
            self._refresh(now)
        return self._known

    def period(self, now: float) -> float | None:
        """Seconds to wait for a first content; ``None`` where that is not known (well enough)."""
        return self.periods(now).learned

    def median(self, now: float) -> float | None:
        """The median of the times, in seconds; ``None`` wherever :meth:`period` is."""
        if now >= self._refresh_at:
            self._refresh(now)
        return self._median

    def learned(self, now: float) -> Learned:
        """The period and the median at ``now``, or why they are not known."""
        self._refresh(now)
        left = max(0.0, self._fixed_until - now)
        period = self._known.learned
        why = "gave way" if left else "few samples" if period is None else "learned"
        return Learned(why, self._samples, period, self._median, left)

    def answered(self, seconds: float, now: float, *, epoch: int) -> GaveWay | None:
        """A call began to answer after ``seconds``, less its allowance. The period may give way."""
        if epoch != self.epoch:
            return None
        self._fresh.append(seconds)
        if not self._unproven:
            return None
        with self._lock:
            return self._prove(now)

    def cut(self, *, epoch: int, learned: bool) -> None:
        """A timer ended a call before its first content; ``learned``: by the learned period."""
        with self._lock:
            if epoch == self.epoch:
                self._unproven += 1
                self._cuts += learned

    def opened(self) -> None:
        """The breaker opened: what was cut is its affair, and what is under way says little."""
        with self._lock:
            self.epoch += 1
            self._unproven = self._cuts = 0

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`."""
        self._lock = Lock()

    def _prove(self, now: float) -> GaveWay | None:
        """The target answers, so it was slow before, and not gone."""
        self._bins[_STEPS] += self._unproven - self._cuts
        self._count(now)
        self._bins[_STEPS] += self._cuts
        self._samples += self._cuts
        self._minute.add(now, marked=True, count=self._cuts)
        self._unproven = self._cuts = 0
        calls, cuts = self._minute.totals(now)
        period = self._known.learned
        if period is None or cuts < _CUT_LEAST or cuts <= _CUT_SHARE * calls:
            return None
        self._give_way(now)
        return GaveWay(self._thinks, period, cuts, calls, self._fixed_for)

    def _give_way(self, now: float) -> None:
        lasted = now - self._fixed_until
        again = self._fixed_for and lasted < _LONGEST_FIXED_SECONDS
        self._fixed_for = (
            min(2 * self._fixed_for, _LONGEST_FIXED_SECONDS) if again else _FIRST_FIXED_SECONDS
        )
        self._fixed_until = now + self._fixed_for
        self.epoch += 1
        self._bins, self._fresh = [0.0] * (_STEPS + 1), []
        self._minute.clear()
        self._samples = 0.0
        self._set(None, None)

    def _set(self, period: float | None, median: float | None) -> None:
        self._median = median
        if period != self._known.learned:
            self._known = self._known._replace(learned=period)

    def _count(self, now: float) -> None:
        """Count the calls since the last time, in the bins and for the minute."""
        fresh, self._fresh = self._fresh, []
        for seconds in fresh:
            self._bins[bisect_right(_EDGES, seconds, 1) - 1] += 1.0
        total = sum(self._bins)
        self._minute.add(now, count=round(total - self._samples))
        self._samples = total

    def _refresh(self, now: float) -> None:
        with self._lock:
            self._refresh_at = now + _REFRESH_SECONDS
            self._count(now)
            self._decay(now)
            if self._samples < _ENOUGH_SAMPLES or now < self._fixed_until:
                self._set(None, None)
                return
            upto = list(accumulate(self._bins))
            half, most = (bisect_left(upto, share * upto[-1]) for share in (0.5, 0.95))
            # By the outer edges: a target that always takes as long is given more than that.
            period = _EDGES[most + 1] ** 2 / _EDGES[half]
            # Of what took longer than is counted, no middle is known.
            self._set(period, (_EDGES[half] * _EDGES[half + 1]) ** 0.5 if half < _STEPS else None)

    def _decay(self, now: float) -> None:
        since = now if self._decayed_at is None else self._decayed_at
        self._decayed_at = max(since, now)
        factor = exp((since - self._decayed_at) / _DECAY_SECONDS)
        total = self._samples * factor
        if total > _MOST_SAMPLES:
            factor *= _MOST_SAMPLES / total
        self._bins = [count * factor for count in self._bins]
        self._samples = min(total, _MOST_SAMPLES)


class Silent(Protocol):
    """A call that has no content yet.

    ``on_opened`` is called, in any thread, when the target's breaker opens by timeouts.
    """

    on_opened: Callable[[], None] | None


class FirstContents:
    """The first contents of one target: what was learned, and the calls that have none yet.

    ``named`` is the period that the settings have for it. ``gave_way`` is called, in any thread,
    when a period gives way. ``silent`` are the calls without content, ``answered_at`` is when the
    latest first content came, in monotonic seconds. Safe under threads.
    """

    __slots__ = ("answered_at", "gave_way", "plain", "silent", "thinking")

    def __init__(self, named: float | None, gave_way: Callable[[GaveWay], None]) -> None:
        self.gave_way = gave_way
        self.answered_at = float("-inf")
        self.silent: dict[Silent, None] = {}  # in the order in which they began
        self.plain = LearnedPeriod(thinks=False, named=named)
        self.thinking = LearnedPeriod(thinks=True, named=named)

    def of(self, *, thinks: bool) -> LearnedPeriod:
        """What was learned of requests with thought, or of those without."""
        return self.thinking if thinks else self.plain

    def opened(self, *, by_timeouts: bool) -> None:
        """The target's breaker opened."""
        self.plain.opened()
        self.thinking.opened()
        if by_timeouts:
            for call in list(self.silent):
                if (end := call.on_opened) is not None:
                    end()

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`: calls without content are the parent's."""
        self.plain.forked()
        self.thinking.forked()
        self.silent = {}
