"""How a route comes back: when its open targets are probed, who waits, and how fast it fills again.

Each process goes by the demand that it sees itself. Probes cost little where failing is quick, and
demand pays for them: the more requests are turned away, the sooner the next probe.
"""

from __future__ import annotations

from copy import copy
from random import Random
from threading import Lock

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, CircuitState, Transition
from failsoft.policy.pacing import Demand, Turns

__all__ = ["Probe", "Recovery", "SlowStart", "probe_interval"]

# A probe that failed within half a second cost next to nothing: its target may be asked again
# sooner. The interval is ten times what the failed probe took, or the time in which fifty requests
# are turned away, whichever is longer, within these bounds.
_QUICK_SECONDS = 0.5
_QUICK_CAP_SECONDS = 5.0
_LEAST_INTERVAL_SECONDS = 1.0
_TIMES_THE_PROBE = 10.0
_TURNED_AWAY = 50.0
_JITTER = 0.1

# A probe in flight holds the next one back for so long, and is waited for so long.
_ALONE_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
_LEAST_WAITERS = 20


def probe_interval(rules: BreakerSettings, failed_seconds: float, rate: float) -> float:
    """Seconds from one probe of a target to the next, before jitter.

    ``failed_seconds`` is what its last failed call took, ``rate`` the requests a second of the
    route, those turned away too.
    """
    longest = rules.recovery_timeout_seconds
    if failed_seconds <= _QUICK_SECONDS:
        longest = min(longest, _QUICK_CAP_SECONDS)
    demanded = _TURNED_AWAY / rate if rate else longest
    return min(longest, max(_LEAST_INTERVAL_SECONDS, _TIMES_THE_PROBE * failed_seconds, demanded))


# A slow start begins at half of the requests of before, at least five a second, doubles each second
# up to 1.75 times those requests, and a call waits at most so long for its turn in it.
_START_SHARE = 0.5
_LEAST_START_RATE = 5.0
_TOP = 1.75
_TURN_SECONDS = 2.0
# One that failed within ten seconds of the closing makes the next begin at half of its rate and
# double half as fast again; so often at most.
_FAILED_WITHIN_SECONDS = 10.0
_MOST_FAILED = 6


class SlowStart:
    """What closed again fills again at a rate, over all the targets that closed while it lasts.

    ``rate`` is the demand in requests a second, ``failed`` how many starts before it failed soon,
    ``members`` what closed, by circuit. Not locked. Times are monotonic seconds.
    """

    def __init__(self, now: float, rate: float, failed: int, members: set[str]) -> None:
        self.members = members
        self._began = now
        self._first: float = first_rate(rate) * 0.5**failed
        self._top = _TOP * max(rate, _LEAST_START_RATE)
        self._doubling_seconds: float = 1.5**failed
        self._turns = Turns()

    def without_turns(self) -> SlowStart:
        """The same start, its turns void."""
        again = copy(self)
        again._turns = Turns()  # noqa: SLF001 - its own class
        return again

    def rate(self, now: float) -> float:
        """Calls a second that it lets through at ``now``."""
        doublings = min((now - self._began) / self._doubling_seconds, 30.0)
        return min(self._top, self._first * float(2.0**doublings))

    def is_over(self, now: float) -> bool:
        """Whether it lets through all it will and no call waits."""
        return self.rate(now) >= self._top and self._turns.next_at(now) <= now

    def next_at(self, now: float) -> float:
        """The next free turn."""
        return self._turns.next_at(now)

    def take(self, now: float) -> float:
        """A turn, the next one."""
        return self._turns.take(now, now, self.rate(self._turns.next_at(now)))

    def give_back(self, turn: float) -> None:
        """A turn that is not used."""
        self._turns.give_back(turn)


def first_rate(rate: float) -> float:
    """Calls a second with which a slow start begins."""
    return max(_LEAST_START_RATE, _START_SHARE * rate)


class Probe:
    """A probe: when it began, until when its result is waited for, and by how many.

    ``is_void``: it has ended and taught nothing. Its caller left, or what it sent was at fault.
    """

    __slots__ = ("began", "is_void", "until", "waiting")

    def __init__(self, began: float, patience: float) -> None:
        self.began = began
        self.until = began + patience
        self.waiting = 0
        self.is_void = False


class _Open:
    """A target of the route that is not closed; ``untaught``: its last probe taught nothing."""

    __slots__ = ("breaker", "probed_at", "untaught")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.probed_at = float("-inf")
        self.untaught = False


class Recovery:
    """The recovery of one route, by ``circuit``: the name of a target's breaker.

    Safe under threads. Times are monotonic seconds.
    """

    def __init__(self, rules: BreakerSettings, demand: Demand, *, rng: Random) -> None:
        self._rules = rules
        self._demand = demand
        self._rng = rng
        self._lock = Lock()
        # What the route's requests have met, and every probe, of whichever route and process.
        self._open: dict[str, _Open] = {}
        self._probes: dict[str, Probe] = {}
        self._probed_at = float("-inf")
        self._stretch = 1.0
        self._patience = _PATIENCE_SECONDS
        # What closed last, how often that failed soon, and when it was.
        self._members: set[str] = set()
        self._failed = 0
        self._closed_at = float("-inf")
        self.slow_start: SlowStart | None = None

    @property
    def in_turn(self) -> bool:
        """Whether open targets are probed in turn."""
        return self._rules.recovery != "fixed" and not self._rules.metrics_only

    @property
    def waiting(self) -> int:
        """Requests that wait for the result of a probe."""
        with self._lock:
            return sum(probe.waiting for probe in self._probes.values())

    def hold_back(self, circuit: str, breaker: Breaker, now: float) -> float | None:
        """When a target that is not closed may be probed next; ``None`` where that is now.

        A route's open targets are probed in turn: the shortest of their intervals, divided by
        their number, lies between two probes.
        """
        with self._lock:
            one = self._met(circuit, breaker)
            at = self._probe_at if self.in_turn else self._fixed_at
            until = at(circuit, one, now)
        return None if until <= now else until

    def probe_began(self, circuit: str, breaker: Breaker, now: float, median: float | None) -> None:
        """A target is being probed, whose first contents take ``median`` seconds, if known.

        Else those of another target of the route count.
        """
        with self._lock:
            if median is not None:
                self._patience = min(_PATIENCE_SECONDS, 2.0 * median)
            one = self._met(circuit, breaker)
            one.probed_at = self._probed_at = now
            one.untaught = False
            self._probes[circuit] = Probe(now, self._patience)
            self._stretch = 1.0 + self._rng.uniform(0.0, _JITTER)

    def probe_ended(self, circuit: str, now: float, *, taught: bool) -> None:
        """The probe of a target has ended; where it ``taught`` nothing, another one is due soon.

        One that was silent for longer than it is waited for has taught that it may well hang.
        """
        with self._lock:
            probe, one = self._probes.pop(circuit, None), self._open.get(circuit)
            if taught or probe is None or now - probe.began >= _PATIENCE_SECONDS:
                return
            probe.is_void = True
            if one is not None:
                one.untaught = True

    def changed(self, circuit: str, change: Transition, now: float) -> None:
        """A breaker is in another state, here or in the whole deployment."""
        with self._lock:
            if change.after is CircuitState.HALF_OPEN:
                self._probes[circuit] = Probe(now, self._patience)
                return
            self._probes.pop(circuit, None)
            if change.after is CircuitState.OPEN:
                if one := self._open.get(circuit):
                    one.untaught = False
                self._opened(circuit, now)
            elif self._open.pop(circuit, None) and change.before is CircuitState.HALF_OPEN:
                self._closed(circuit, now)

    def await_probe(self, circuit: str, known: Probe | None, now: float) -> Probe | None:
        """Wait for the probe of a target that is in flight, if one is that may be waited for.

        One of at most 20 requests, or as many as the slow start would let through in 2 s.
        ``known`` is the probe for which this request waited before: it waits for no other, unless
        that taught nothing. A wait that is begun is to be ended by :meth:`stop_waiting`.
        """
        with self._lock:
            probe = self._probes.get(circuit)
            if probe is None or now >= probe.until:
                return None
            if known is not None and known is not probe and not known.is_void:
                return None
            most = max(_LEAST_WAITERS, _PATIENCE_SECONDS * first_rate(self._demand.rate(now)))
            if probe.waiting >= most:
                return None
            probe.waiting += 1
            return probe

    def stop_waiting(self, probe: Probe) -> None:
        """A wait for a probe is over."""
        with self._lock:
            probe.waiting -= 1

    def turn_at(self, circuit: str, now: float) -> float | None:
        """When a call of a closed target has its turn; ``None`` where it may begin now."""
        with self._lock:
            _, at = self._next_turn(circuit, now)
        return None if at <= now else at

    def pass_now(self, circuit: str, now: float) -> float | None:
        """Take the turn of a call that begins now; where it may not, when to ask again."""
        with self._lock:
            slow, at = self._next_turn(circuit, now)
            if slow is not None and at <= now:
                slow.take(now)
        return None if at <= now else at

    def reserve(self, circuit: str, now: float) -> tuple[SlowStart, float] | None:
        """A turn to wait for; ``None`` where none comes soon enough."""
        with self._lock:
            slow, at = self._next_turn(circuit, now)
            if slow is None or at > now + _TURN_SECONDS:
                return None
            return slow, slow.take(now)

    def give_back(self, slow: SlowStart, turn: float) -> None:
        """A turn that is not used."""
        with self._lock:
            slow.give_back(turn)

    def _probe_at(self, circuit: str, one: _Open, now: float) -> float:
        others = (
            probe.began
            for name, probe in self._probes.items()
            if name != circuit and name in self._open
        )
        alone = max(others, default=now - _ALONE_SECONDS) + _ALONE_SECONDS
        if one.untaught:
            return max(alone, self._probed_at + self._stretch * _LEAST_INTERVAL_SECONDS)
        rate, number = self._demand.rate(now), len(self._open)
        interval = self._interval(one.breaker.failed_seconds, rate)
        # Half a turn early: the others' turns come in between, and it is not to miss its own.
        own = one.probed_at + interval * (number - 0.5) / number
        own = max(own, one.breaker.opened_at + interval / number)
        quickest = min(other.breaker.failed_seconds for other in self._open.values())
        route = self._probed_at + self._interval(quickest, rate) / number
        return max(own, route, alone)

    def _fixed_at(self, _circuit: str, one: _Open, now: float) -> float:
        """Never sooner after its own probe, also where others' settings open it for less."""
        if self._rules.metrics_only or one.breaker.state is not CircuitState.OPEN:
            return now
        return one.probed_at + self._rules.recovery_timeout_seconds

    def _interval(self, failed_seconds: float, rate: float) -> float:
        return self._stretch * probe_interval(self._rules, failed_seconds, rate)

    def _opened(self, circuit: str, now: float) -> None:
        if circuit not in self._members:
            return
        # Turns belong to the start that gave them: who holds one asks again.
        self._members.discard(circuit)
        if self.slow_start is not None:
            self.slow_start = self.slow_start.without_turns() if self._members else None
        soon = now - self._closed_at <= _FAILED_WITHIN_SECONDS
        self._failed = min(_MOST_FAILED, self._failed + 1) if soon else 0

    def _closed(self, circuit: str, now: float) -> None:
        if self._rules.metrics_only:
            return
        if self.slow_start is None or self.slow_start.is_over(now):
            self._members = set()
            self.slow_start = SlowStart(now, self._demand.rate(now), self._failed, self._members)
        self._closed_at = now
        self._members.add(circuit)

    def _next_turn(self, circuit: str, now: float) -> tuple[SlowStart | None, float]:
        """The slow start that a target is in, and its next free turn; else ``None`` and now."""
        slow = self.slow_start
        if slow is None or circuit not in slow.members:
            return None, now
        if slow.is_over(now):
            self.slow_start = None
            return None, now
        return slow, slow.next_at(now)

    def _met(self, circuit: str, breaker: Breaker) -> _Open:
        return self._open.get(circuit) or self._open.setdefault(circuit, _Open(breaker))
