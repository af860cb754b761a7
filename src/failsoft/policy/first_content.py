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

from collections.abc import Callable
from itertools import accumulate
from math import exp, log2
from threading import Lock
from typing import Final, NamedTuple

from failsoft.policy.timers import Limits
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
    it is ``learned`` there are a ``period`` and a ``median``. ``samples`` are what is left of them.
    """

    why: str
    samples: float
    period: float | None
    median: float | None
    fixed_seconds: float


class GaveWay(NamedTuple):
    """A period that cut ``cuts`` of the ``calls`` of a minute; the fixed one holds for a time."""

    thinks: bool
    period: float
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
        "_lock",
        "_median",
        "_minute",
        "_period",
        "_refresh_at",
        "_samples",
        "_thinks",
        "_unproven",
        "epoch",
    )

    def __init__(self, *, thinks: bool) -> None:
        self.epoch = 0
        self._thinks = thinks
        self._lock = Lock()
        self._bins = [0.0] * (_STEPS + 1)
        self._minute = Window(_MINUTE, _BUCKETS)
        self._decayed_at: float | None = None
        self._refresh_at = self._fixed_until = float("-inf")
        self._fixed_for = 0.0
        self._samples = 0.0
        self._period: float | None = None
        self._median: float | None = None
        # Calls that were cut since the target last answered, and those that this period cut.
        self._unproven = self._cuts = 0

    @property
    def samples(self) -> int:
        """About how many calls the period was last worked out from."""
        return int(self._samples)

    def period(self, now: float) -> float | None:
        """Seconds to wait for a first content; ``None`` where that is not known (well enough)."""
        if now >= self._refresh_at:
            self._refresh(now)
        return self._period

    def median(self, now: float) -> float | None:
        """The median of the times, in seconds; ``None`` wherever :meth:`period` is."""
        if now >= self._refresh_at:
            self._refresh(now)
        return self._median

    def learned(self, now: float) -> Learned:
        """The period and the median at ``now``, or why they are not known."""
        self._refresh(now)
        left = max(0.0, self._fixed_until - now)
        why = "gave way" if left else "few samples" if self._period is None else "learned"
        return Learned(why, self._samples, self._period, self._median, left)

    def answered(self, seconds: float, now: float, *, epoch: int) -> GaveWay | None:
        """A call began to answer after ``seconds``, less its allowance. The period may give way."""
        place = 0
        if seconds > _LEAST_SECONDS:
            place = min(int((log2(seconds) - _LEAST_LOG) * _STEPS_PER_DOUBLING), _STEPS)
        with self._lock:
            if epoch != self.epoch:
                return None
            self._bins[place] += 1.0
            self._minute.add(now)
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
        self._bins[_STEPS] += self._unproven
        for _ in range(self._cuts):
            self._minute.add(now, marked=True)
        self._unproven = self._cuts = 0
        calls, cuts = self._minute.totals(now)
        period = self._period
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
        self._period = self._median = None

    def _refresh(self, now: float) -> None:
        with self._lock:
            self._refresh_at = now + _REFRESH_SECONDS
            self._decay(now)
            self._period = self._median = None
            if self._samples >= _ENOUGH_SAMPLES and now >= self._fixed_until:
                upto = list(accumulate(self._bins))
                half, most = _first(upto, 0.5 * upto[-1]), _first(upto, 0.95 * upto[-1])
                # By the outer edges: a target that always takes as long is given more than that.
                self._period = _EDGES[most + 1] ** 2 / _EDGES[half]
                self._median = (_EDGES[half] * _EDGES[half + 1]) ** 0.5

    def _decay(self, now: float) -> None:
        since = now if self._decayed_at is None else self._decayed_at
        self._decayed_at = max(since, now)
        factor = exp((since - self._decayed_at) / _DECAY_SECONDS)
        total = sum(self._bins) * factor
        if total > _MOST_SAMPLES:
            factor *= _MOST_SAMPLES / total
        self._bins = [count * factor for count in self._bins]
        self._samples = min(total, _MOST_SAMPLES)


def _first(upto: list[float], wanted: float) -> int:
    return next(place for place, count in enumerate(upto) if count >= wanted)


class Silence:
    """A call of which nothing has come yet. It ends by its first content, or with the call.

    ``on_opened`` is called, in any thread, when the target's breaker opens by timeouts meanwhile.
    """

    __slots__ = ("_began", "_epoch", "_learned", "_limits", "_of", "on_opened")

    def __init__(self, of: FirstContents, limits: Limits, began: float, *, probe: bool) -> None:
        self._of = of
        self._limits = limits
        self._began = began
        self.on_opened: Callable[[], None] | None = None
        self._learned: LearnedPeriod | None = None
        if not probe and limits.allowance_seconds is not None:
            self._learned = of.of(thinks=limits.thinks)
            self._epoch = self._learned.epoch
        of.silent.add(self)

    def broken(self, now: float) -> None:
        """The first content has come."""
        learned = self._leave()
        if learned is None:
            return
        seconds = now - self._began - (self._limits.allowance_seconds or 0.0)
        gave_way = learned.answered(seconds, now, epoch=self._epoch)
        if gave_way is not None:
            self._of.gave_way(gave_way)

    def ended(self, now: float, *, timed_out: bool = False) -> None:
        """The call has ended; ``timed_out``: by a full period, which speaks against the target."""
        learned = self._leave()
        if learned is not None and timed_out and now >= self._limits.first_content_at:
            learned.cut(epoch=self._epoch, learned=self._limits.learned)

    def _leave(self) -> LearnedPeriod | None:
        self._of.silent.discard(self)
        self.on_opened = None
        learned, self._learned = self._learned, None
        return learned


class FirstContents:
    """The first contents of one target: what was learned, and the calls that have none yet.

    ``gave_way`` is called, in any thread, when a period gives way. Safe under threads.
    """

    __slots__ = ("_plain", "_thinking", "gave_way", "silent")

    def __init__(self, gave_way: Callable[[GaveWay], None]) -> None:
        self.gave_way = gave_way
        self.silent: set[Silence] = set()
        self._plain = LearnedPeriod(thinks=False)
        self._thinking = LearnedPeriod(thinks=True)

    def of(self, *, thinks: bool) -> LearnedPeriod:
        """What was learned of requests with thought, or of those without."""
        return self._thinking if thinks else self._plain

    def opened(self, *, by_timeouts: bool) -> None:
        """The target's breaker opened."""
        self._plain.opened()
        self._thinking.opened()
        if by_timeouts:
            for silence in list(self.silent):
                if (end := silence.on_opened) is not None:
                    end()

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`: calls without content are the parent's."""
        self._plain.forked()
        self._thinking.forked()
        self.silent = set()
