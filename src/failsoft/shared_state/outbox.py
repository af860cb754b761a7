"""Queues what this process's breakers and holds have to tell the store until it is sent."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from threading import Lock
from typing import Final, Literal

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Outcome
from failsoft.policy.coordination import Act, BenchSeen
from failsoft.policy.shared_bench import SharedBench
from failsoft.policy.shared_breaker import SharedBreaker
from failsoft.policy.target import Target
from failsoft.policy.target_guard import TargetGuard
from failsoft.shared_state.store import Operation

__all__ = [
    "BY_HAND",
    "KEPT",
    "BenchOutbox",
    "BreakerOutbox",
    "SharedCoordinator",
    "Switch",
    "breaker_key",
    "hold_key",
    "milliseconds",
]

BY_HAND: Final = frozenset({"isolate", "restore", "release"})
"""Operations by hand: they are sent even after a time without the store."""

KEPT: Final = BY_HAND | {"probe"}
"""So are the ends of leases that the store granted: it would wait for them."""


def milliseconds(seconds: float) -> int:
    """Seconds as the store counts; an end that is never is a year away."""
    return round(min(seconds, 366 * 86_400.0) * 1000)


class Switch:
    """Whether the store can be reached, and who we are: one for everything that it leads."""

    __slots__ = ("leads", "process")

    def __init__(self) -> None:
        self.leads = False
        self.process = token_hex(4)


class _Notes:
    """Of one key. What was done by hand has a number too, and only the last of it is sent.

    It names the generation that was seen here: the store begins a later one with it, also where it
    has lost what it knew.
    """

    def __init__(
        self,
        kind: Literal["breaker", "hold"],
        key: str,
        switch: Switch,
        urgent: Callable[[], None],
    ) -> None:
        self.key = key
        self.part: SharedBreaker | SharedBench | None = None
        self._kind = kind
        self._switch = switch
        self._urgent = urgent
        self._sequence = 0
        self._lock = Lock()
        self._steps: list[Operation] = []
        self._act: tuple[str, tuple[str, ...]] | None = None

    def forked(self) -> None:
        """See :meth:`.TargetGuard.forked`: what there is to tell is the parent's."""
        self._lock = Lock()
        self._steps = []

    @property
    def leads(self) -> bool:
        """Whether the store can be reached."""
        return self._switch.leads

    def take(self) -> list[Operation]:
        """All there is to tell; it is no longer there then."""
        with self._lock:
            steps, self._steps = self._steps, []
            act, self._act = self._act, None
            if act is not None:
                name, arguments = act
                steps.append(self._operation(name, *self._numbered(), self._seen(), *arguments))
            return steps

    def drop(self) -> None:
        """Forget what there is to tell, but for what is :data:`KEPT`."""
        with self._lock:
            self._steps = [step for step in self._steps if step.name in KEPT]

    def _step(self, name: str, *arguments: str | int) -> None:
        with self._lock:
            self._steps.append(self._operation(name, *arguments))
        self._urgent()

    def _by_hand(self, name: str, *arguments: str) -> None:
        with self._lock:
            self._act = (name, arguments)
        self._urgent()

    def _operation(self, name: str, *arguments: str | int) -> Operation:
        return Operation(self._kind, self.key, name, arguments)

    def _seen(self) -> int:
        return 0 if self.part is None else self.part.seen_generation

    def _numbered(self) -> tuple[str, int]:
        self._sequence += 1
        return self._switch.process, self._sequence


class BreakerOutbox(_Notes):
    """Of one breaker. Successes wait for the next regular telling, everything else is urgent.

    A batch of counts has a number: one whose reply was lost is sent again under the same number,
    and counts once.
    """

    def __init__(
        self,
        key: str,
        switch: Switch,
        urgent: Callable[[], None],
        *,
        rules: BreakerSettings,
    ) -> None:
        super().__init__("breaker", key, switch, urgent)
        self.guard: TargetGuard | None = None
        self._rules = rules
        self._generation = 0
        self._clear()

    def began(self, *, ends_row: bool) -> None:
        """See :class:`.BreakerCoordinator`."""
        with self._lock:
            self._same_generation()
            self._calls += 1
            self._before += not self._failures
            if ends_row:
                self._broke = True
                self._weight = self._row_calls = 0

    def failed(self, *, weight: int, older: int) -> None:
        """See :class:`.BreakerCoordinator`."""
        with self._lock:
            self._same_generation()
            self._calls += 1
            self._failures += 1
            self._weight += weight
            self._row_calls += 1
            self._older = older
        self._urgent()

    def cut(self) -> None:
        """See :class:`.BreakerCoordinator`."""
        with self._lock:
            self._same_generation()
            self._failures += 1
        self._urgent()

    def probed(self, lease: str, outcome: Outcome, open_seconds: float) -> None:
        """See :class:`.BreakerCoordinator`."""
        threshold = self._rules.success_threshold
        lasts = milliseconds(open_seconds)
        told = (outcome.value, threshold, lasts, self._cause(), self._one_caller())
        self._step("probe", lease, *told)

    def tripped(self, open_seconds: float, reason: str) -> None:
        """See :class:`.BreakerCoordinator`."""
        self._step("open", self._seen(), milliseconds(open_seconds), reason, self._cause(), 0)

    def by_hand(self, act: Act) -> None:
        """See :class:`.BreakerCoordinator`."""
        self._by_hand(act, f"{act}d by hand")

    def take(self) -> list[Operation]:
        """See :meth:`._Notes.take`."""
        with self._lock:
            counted = [self._record()] if self._calls or self._failures else []
            self._clear()
        return counted + super().take()

    def drop(self) -> None:
        """See :meth:`._Notes.drop`."""
        super().drop()
        with self._lock:
            self._clear()

    def open(self, seconds: float, reason: str) -> Operation:
        """That it opens, for what was counted."""
        window = milliseconds(self._rules.window_seconds)
        arguments = (self._seen(), milliseconds(seconds), reason, self._cause(), window)
        return self._operation("open", *arguments)

    def _record(self) -> Operation:
        width = milliseconds(self._rules.window_seconds / self._rules.window_buckets)
        counted = (self._calls, self._failures, int(self._broke), self._weight, self._older)
        whose = (*self._numbered(), self._generation)
        window = (width, self._rules.window_buckets)
        told = (*whose, *counted, self._one_caller(), *window, self._before, self._row_calls)
        return self._operation("record", *told)

    def _clear(self) -> None:
        self._calls = self._failures = self._older = self._before = 0
        self._weight = self._row_calls = 0
        self._broke = False

    def _same_generation(self) -> None:
        """What was counted before a change says nothing after it."""
        if self._generation != self._seen():
            self._generation = self._seen()
            self._clear()

    def _one_caller(self) -> int:
        return int(self.guard is not None and self.guard.share.one_caller())

    def _cause(self) -> str:
        last = None if self.guard is None else self.guard.breaker.last_failure
        return "" if last is None else last.reason


class BenchOutbox(_Notes):
    """Of one bench; all of it is urgent. ``now`` gives this process's monotonic seconds."""

    def __init__(
        self,
        key: str,
        switch: Switch,
        urgent: Callable[[], None],
        *,
        now: Callable[[], float],
        ramp_seconds: float,
    ) -> None:
        super().__init__("hold", key, switch, urgent)
        self._now = now
        self._ramp_seconds = ramp_seconds

    def held(self, seen: BenchSeen) -> None:
        """See :class:`.BenchCoordinator`."""
        left = milliseconds(seen.until - self._now())
        ramp = milliseconds(seen.ramp_seconds)
        self._step("hold", seen.kind, left, int(seen.probe_due), seen.parks, ramp, seen.cause)

    def probed(self, lease: str, *, well: bool | None) -> None:
        """See :class:`.BenchCoordinator`."""
        self._step("probe", lease, int(bool(well)), milliseconds(self._ramp_seconds))

    def released(self) -> None:
        """See :class:`.BenchCoordinator`."""
        self._by_hand("release")


def breaker_key(target: str) -> str:
    """The key of a target's breaker in the store."""
    return f"breaker:{target}"


def hold_key(scope: str) -> str:
    """The key of a scope's bench and park in the store."""
    return f"hold:{scope}"


class SharedCoordinator:
    """The :class:`~failsoft.policy.admission.Coordinators` of a process. Safe under threads.

    ``now`` gives monotonic seconds, ``wake`` is called when something will not wait.
    """

    def __init__(
        self, rules: BreakerSettings, *, now: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self.switch = Switch()
        self.guards: list[TargetGuard] = []
        self._rules = rules
        self._now = now
        self._wake = wake
        self._breakers: dict[str, BreakerOutbox] = {}
        self._benches: dict[str, BenchOutbox] = {}

    def breaker(self, target: Target) -> BreakerOutbox:
        """See :class:`~failsoft.policy.admission.Coordinators`."""
        key = breaker_key(target.circuit)
        made = BreakerOutbox(key, self.switch, self._wake, rules=self._rules)
        return self._breakers.setdefault(key, made)

    def bench(self, scope: str) -> BenchOutbox:
        """See :class:`~failsoft.policy.admission.Coordinators`."""
        key, ramp = hold_key(scope), self._rules.ramp_seconds
        made = BenchOutbox(key, self.switch, self._wake, now=self._now, ramp_seconds=ramp)
        return self._benches.setdefault(key, made)

    def lead(self, guard: TargetGuard) -> None:
        """See :class:`~failsoft.policy.admission.Coordinators`."""
        notes = self.breaker(guard.target)
        if isinstance(guard.breaker, SharedBreaker):
            notes.guard, notes.part = guard, guard.breaker
        for bench in guard.benches:
            if isinstance(bench, SharedBench):
                self.bench(bench.scope).part = bench
        self.guards.append(guard)
        self._wake()

    def take(self) -> list[Operation]:
        """All there is to tell."""
        return [operation for each in self._everybody() for operation in each.take()]

    def begin_anew(self, *, forked: bool) -> None:
        """Another process may be meant from now on: what it sends has numbers of its own."""
        if forked:
            for each in (*self._everybody(), *self.guards):
                each.forked()
        self.cut_off()
        self.switch.process = token_hex(4)

    def cut_off(self) -> None:
        """From now on everybody decides alone."""
        self.switch.leads = False
        for notes in self._everybody():
            notes.drop()

    def open(self, guard: TargetGuard, seconds: float, reason: str) -> Operation:
        """That this breaker opens."""
        return self.breaker(guard.target).open(seconds, reason)

    def _everybody(self) -> list[BreakerOutbox | BenchOutbox]:
        return [*list(self._breakers.values()), *list(self._benches.values())]
