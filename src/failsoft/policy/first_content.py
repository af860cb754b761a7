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

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from math import exp, log2
from threading import Lock
from typing import Final, NamedTuple

from failsoft.policy.timers import KnownPeriods, Limits
from failsoft.policy.window import Window

__all__ = ["FirstContents", "GaveWay", "Learned", "LearnedPeriod", "Silence"]

# Sixteen steps to a doubling are 4 % each; from 8 ms to 34 minutes, and one for all above.
_STEPS_PER_DOUBLING: Final = 16
_LEAST_SECONDS: Final = 2.0**-7
_LEAST_LOG: Final = -7.0
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
        place = 0
        if seconds > _LEAST_SECONDS:
            place = min(int((log2(seconds) - _LEAST_LOG) * _STEPS_PER_DOUBLING), _STEPS)
        with self._lock:
            if epoch != self.epoch:
                return None
            self._bins[place] += 1.0
            return self._prove(now) if self._unproven else None

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
        self._bins = [0.0] * (_STEPS + 1)
        self._minute.clear()
        self._samples = 0.0
        self._set(None, None)

    def _set(self, period: float | None, median: float | None) -> None:
        self._median = median
        if period != self._known.learned:
            self._known = self._known._replace(learned=period)

    def _count(self, now: float) -> None:
        """Count the calls since the last time for the minute: the bins have them already."""
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


class Silence:
    """A call of which nothing has come yet. It ends by its first content, or with the call.

    ``learned`` is what it may teach, ``None`` where that is nothing. ``on_opened`` is called, in
    any thread, when the target's breaker opens by timeouts meanwhile.
    """

    __slots__ = ("_allowance", "_began", "_epoch", "_learned", "_of", "limits", "on_opened")

    def __init__(
        self, of: FirstContents, limits: Limits, began: float, learned: LearnedPeriod | None
    ) -> None:
        self._of = of
        self._began = began
        self._learned = learned
        if learned is not None and limits.allowance_seconds is not None:
            self._epoch = learned.epoch
            self._allowance = limits.allowance_seconds
        self.limits = limits
        self.on_opened: Callable[[], None] | None = None
        of.silent.add(self)

    @property
    def samples(self) -> int:
        """About how many calls its period was learned from, 0 where it is not a learned one."""
        learned = self._learned
        return learned.samples if learned is not None and self.limits.learned else 0

    def broken(self, now: float) -> None:
        """The first content has come."""
        self._of.silent.discard(self)
        self.on_opened = None
        if (learned := self._learned) is not None:
            seconds, allowance = now - self._began, self._allowance
            # A prompt that the provider had cached takes less time than is allowed for it: how much
            # of the time was the prompt's is not known, and all of it is the most it may have been.
            own = seconds - allowance if seconds > allowance else seconds
            gave_way = learned.answered(own, now, epoch=self._epoch)
            if gave_way is not None:
                self._of.gave_way(gave_way)

    def ended(self, now: float, *, timed_out: bool = False) -> None:
        """The call has ended; ``timed_out``: by a full period, which speaks against the target."""
        self._of.silent.discard(self)
        self.on_opened = None
        learned, limits = self._learned, self.limits
        if learned is not None and timed_out and now >= limits.first_content_at:
            learned.cut(epoch=self._epoch, learned=limits.learned)


class FirstContents:
    """The first contents of one target: what was learned, and the calls that have none yet.

    ``named`` is the period that the settings have for it. ``gave_way`` is called, in any thread,
    when a period gives way. Safe under threads.
    """

    __slots__ = ("gave_way", "plain", "silent", "thinking")

    def __init__(self, named: float | None, gave_way: Callable[[GaveWay], None]) -> None:
        self.gave_way = gave_way
        self.silent: set[Silence] = set()
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
            for silence in list(self.silent):
                if (end := silence.on_opened) is not None:
                    end()

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`: calls without content are the parent's."""
        self.plain.forked()
        self.thinking.forked()
        self.silent = set()
