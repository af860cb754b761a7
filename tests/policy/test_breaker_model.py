"""The breaker against a reference that keeps lists, and under eight threads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import log
from threading import Barrier, Lock, Thread
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection, Ticket, Transition

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

LEGAL = {
    (CLOSED, OPEN),
    (OPEN, HALF_OPEN),
    (HALF_OPEN, OPEN),
    (HALF_OPEN, CLOSED),
    (OPEN, CLOSED),  # by hand
}

RULES = BreakerSettings(
    failure_threshold=4, min_calls=8, window_seconds=6.0, window_buckets=3, failure_ratio=0.75
)


class Model:
    """What the contract says, kept in lists. Calls are known by the order in which they began."""

    def __init__(self, rules: BreakerSettings) -> None:
        self.rules = rules
        self.state = CLOSED
        self.isolated = False
        self.generation = 0
        self.finished: list[tuple[float, int, bool]] = []
        self.row: list[tuple[float, int, int]] = []
        self.leases: dict[int, float] = {}
        self.bursts: list[list[float]] = []  # until when, and the calls that had begun by its end
        self.undecided: dict[int, list[float]] = {}
        self.admitted = self.decided = 0
        self.trial = 0
        self.open_until = 0.0
        self.asked_until = 0.0
        self.told = 0

    def move(self, after: CircuitState) -> None:
        self.told += after is not self.state
        self.state = after
        self.generation += 1
        self.finished, self.row, self.leases, self.trial = [], [], {}, 0
        self.bursts, self.undecided, self.admitted, self.decided = [], {}, 0, 0

    def open(self, now: float) -> float:
        """It opens; for how long."""
        seconds = self.rules.recovery_timeout_seconds if self.rules.recovery == "fixed" else 0.0
        self.open_until = max(now + seconds, self.asked_until)
        self.move(OPEN)
        return self.open_until - now

    def live(self, now: float) -> int:
        self.leases = {key: end for key, end in self.leases.items() if end > now}
        return len(self.leases)

    def expect(self, now: float, *, early: bool) -> str:
        """``ticket``, ``probe`` or the reason of the rejection."""
        if self.isolated:
            return "isolated"
        if self.state is OPEN and now < self.open_until and not early:
            return "open"
        if self.state is OPEN:
            self.move(HALF_OPEN)
        if self.state is HALF_OPEN:
            return "probe" if self.live(now) < self.rules.probes else "half_open"
        return "ticket"

    def admit(self, call: int, now: float) -> None:
        """A call begins, with others of the same quarter of a second."""
        if not self.bursts or now > self.bursts[-1][0]:
            self.bursts.append([now + 0.25, 0])
        self.admitted += 1
        self.bursts[-1][1] = self.admitted
        self.undecided[call] = self.bursts[-1]

    def decide(self, call: int) -> int:
        """It is decided; how many of its burst and before may still be undecided."""
        _, begun = self.undecided.pop(call)
        self.decided += 1
        return max(0, int(begun) - self.decided)

    def succeed(self, call: int, now: float) -> None:
        self.finished.append((now, call, False))
        if call >= min((first for _, _, first in self.row), default=call):
            self.row = []
        self.trial = max(0, self.trial - 1)

    def fail(self, call: int, now: float, weight: int, older: int) -> bool:
        """A failure counts; whether it opens for it."""
        self.finished.append((now, call, True))
        self.row.append((now, weight, call))
        return self.trial > 0 or self.too_many_in_row(now, older) or self.too_many(now, older)

    def cut(self, call: int, now: float) -> bool:
        """A success was none; whether it opens for that."""
        self.finished = [entry for entry in self.finished if entry[1] != call]
        self.finished.append((now, call, True))
        return self.trial > 0 or self.too_many(now, 0)

    def too_many(self, now: float, older: int) -> bool:
        """The share of failures, as if all that are undecided were to succeed."""
        calls, failures = self.recent(now)
        return calls >= self.rules.min_calls and (
            failures >= self.rules.failure_ratio * (calls + older)
        )

    def too_many_in_row(self, now: float, older: int) -> bool:
        in_row = sum(weight for _, weight, _ in self.row)
        return (
            in_row >= self.rules.failure_threshold
            and now - self.row[0][0] >= self.rules.failure_span_seconds
            and in_row >= self.rules.failure_ratio * (in_row + older)
            and not self.may_be_chance(now)
        )

    def may_be_chance(self, now: float) -> bool:
        """Whether what fails so often anyway brings such a row more than once in a million."""
        calls, failures = (number - len(self.row) for number in self.recent(now))
        if self.rules.recovery == "fixed" or calls < self.rules.min_calls or failures <= 0:
            return False
        return len(self.row) < log(1e-6) / log(min(failures / calls, 0.99))

    def recent(self, now: float) -> tuple[int, int]:
        """Calls of the window and those of them that failed."""
        width = self.rules.window_seconds / self.rules.window_buckets
        oldest = int(now / width) - self.rules.window_buckets + 1
        recent = [failed for at, _, failed in self.finished if int(at / width) >= oldest]
        return len(recent), sum(recent)


@dataclass
class Out:
    """A ticket that is out: its number, of which generation, and whether its call has begun."""

    ticket: Ticket
    serial: int
    generation: int
    begun: bool = False

    @property
    def is_probe(self) -> bool:
        return self.ticket.expires_at is not None


class BreakerMachine(RuleBasedStateMachine):
    """Calls come and go in any order while time passes."""

    @initialize(
        recovery=st.sampled_from(["adaptive", "fixed"]),
        probes=st.integers(1, 3),
        needed=st.integers(1, 3),
    )
    def start(self, recovery: Literal["adaptive", "fixed"], probes: int, needed: int) -> None:
        self.rules = replace(RULES, recovery=recovery, probes=probes, success_threshold=needed)
        self.model = Model(self.rules)
        self.changes: list[Transition] = []
        self.breaker = Breaker(self.rules, on_change=self.changes.append)
        self.now = 1000.0
        self.out: list[Out] = []
        self.serial = 0

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 2.5, 6.0, 20.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def sit_out(self) -> None:
        if self.model.state is OPEN and not self.model.isolated:
            self.now = max(self.now, self.model.open_until)

    @rule(lease=st.sampled_from([0.5, 5.0, 60.0]), early=st.sampled_from([False, False, True]))
    def allow(self, lease: float, early: bool) -> None:
        peeked = self.breaker.peek(self.now, early=early)
        assert peeked == self.breaker.peek(self.now, early=early)
        told = len(self.changes)
        expected = self.model.expect(self.now, early=early)
        answer = self.breaker.allow(self.now, lease_seconds=lease, early=early)
        if isinstance(answer, Ticket):
            assert peeked is None
            assert expected == ("ticket" if answer.expires_at is None else "probe")
            assert answer.expires_at in (None, self.now + lease)
            self._hand_out(answer, lease)
        else:
            assert answer.why == expected
            assert answer.until > self.now
            assert peeked == answer
        assert len(self.changes) - told <= 1

    @rule(count=st.integers(2, 8))
    def admit_many(self, count: int) -> None:
        for _ in range(count):
            self.allow(5.0, early=False)

    def _hand_out(self, ticket: Ticket, lease: float) -> None:
        self.serial += 1
        one = Out(ticket, self.serial, self.model.generation)
        if one.is_probe:
            self.model.leases[self.serial] = self.now + lease
        else:
            self.model.admit(self.serial, self.now)
        self.out.append(one)

    def _counts(self, one: Out) -> bool:
        # An expired lease that nobody else asked for may still be heard.
        live = one.generation == self.model.generation
        return live and (not one.is_probe or one.serial in self.model.leases)

    @precondition(lambda self: self.out)
    @rule(pick=st.integers(0, 1000))
    def first_content(self, pick: int) -> None:
        one = self.out[pick % len(self.out)]
        counts = self._counts(one) and not one.begun
        self.breaker.first_content(one.ticket, self.now)
        one.begun = True
        if counts:
            self._succeeded(one)

    @precondition(lambda self: self.out)
    @rule(
        pick=st.integers(0, 1000),
        outcome=st.sampled_from(
            [Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE, Outcome.NEUTRAL]
        ),
        weight=st.sampled_from([1, 1, 3]),
        asked=st.sampled_from([None, None, None, 2.0]),
    )
    def done(self, pick: int, outcome: Outcome, weight: int, asked: float | None) -> None:
        one = self.out.pop(pick % len(self.out))
        counts = self._counts(one)
        self.breaker.done(one.ticket, outcome, self.now, weight=weight, wait_seconds=asked)
        if asked is not None and outcome is Outcome.FAILURE:
            self.model.asked_until = max(self.model.asked_until, self.now + asked)
        if not counts:
            return
        if outcome is Outcome.SUCCESS and not one.begun:
            self._succeeded(one)
        elif outcome is Outcome.FAILURE:
            self._failed(one, weight)
        elif not one.begun:
            self._left(one)

    @precondition(lambda self: len(self.out) > 3)
    @rule(outcome=st.sampled_from([Outcome.SUCCESS, Outcome.FAILURE]))
    def done_from_the_first_on(self, outcome: Outcome) -> None:
        for _ in range(len(self.out) - 1):
            self.done(0, outcome, 1, None)

    def _succeeded(self, one: Out) -> None:
        if one.is_probe:
            self.model.move(CLOSED)
            self.model.trial = self.rules.success_threshold - 1
            return
        self.model.decide(one.serial)
        self.model.succeed(one.serial, self.now)

    def _failed(self, one: Out, weight: int) -> None:
        if one.is_probe:
            opens = True
        elif one.begun:
            opens = self.model.cut(one.serial, self.now)
        else:
            older = self.model.decide(one.serial)
            opens = self.model.fail(one.serial, self.now, weight, older)
        if opens:
            self._opened()

    def _left(self, one: Out) -> None:
        if one.is_probe:
            del self.model.leases[one.serial]
        else:
            self.model.decide(one.serial)

    def _opened(self) -> None:
        assert self.changes[-1].open_seconds == pytest.approx(self.model.open(self.now))

    @rule(
        ends=st.lists(st.sampled_from(["well", "failed", "cut"]), min_size=4, max_size=12),
        seconds=st.sampled_from([0.01, 0.1, 0.3]),
    )
    def one_after_another(
        self, ends: list[str], seconds: float, asked: float | None = None
    ) -> None:
        for end in ends:
            before = len(self.out)
            self.allow(5.0, early=False)
            if len(self.out) > before and end == "cut":
                self.first_content(before)
            self.pass_time(seconds)
            if len(self.out) > before:
                outcome = Outcome.SUCCESS if end == "well" else Outcome.FAILURE
                self.done(before, outcome, 1, asked)

    @rule(
        end=st.sampled_from(["failed", "failed", "cut"]),
        count=st.integers(4, 12),
        seconds=st.sampled_from([0.1, 0.3]),
        asked=st.sampled_from([None, 2.0]),
    )
    def goes_down(self, end: str, count: int, seconds: float, asked: float | None) -> None:
        self.one_after_another([end] * count, seconds, asked)

    @rule(
        ends=st.lists(st.sampled_from(["well", "failed", "cut"]), min_size=1, max_size=4),
        restored=st.sampled_from([False, True]),
    )
    def comes_back(self, ends: list[str], restored: bool) -> None:
        self.sit_out()
        self.one_after_another(["well"], 0.01)
        if restored:
            self.restore()
        self.one_after_another(ends, 0.01)

    @rule(act=st.sampled_from(["trip", "isolate", "restore"]), sure=st.integers(0, 7))
    def by_hand(self, act: str, sure: int) -> None:
        if sure == 7:
            getattr(self, act)()

    def isolate(self) -> None:
        self.breaker.isolate()
        self.model.isolated = True
        self.model.move(OPEN)

    def trip(self) -> None:
        self.breaker.trip(self.now, "host down")
        if self.model.state is CLOSED:
            self._opened()

    def restore(self) -> None:
        self.breaker.restore()
        self.model.isolated = False
        self.model.asked_until = 0.0
        self.model.move(CLOSED)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "breaker"):
            return
        assert self.breaker.state is self.model.state
        assert len(self.changes) == self.model.told
        moves = [(change.before, change.after) for change in self.changes]
        assert set(moves) <= LEGAL
        chain = [CLOSED, *(after for _, after in moves)]
        assert [before for before, _ in moves] == chain[:-1]

    @invariant()
    def never_more_leases_than_probes(self) -> None:
        if not hasattr(self, "breaker"):
            return
        live = [
            one
            for one in self.out
            if one.generation == self.model.generation
            and one.ticket.expires_at is not None
            and one.ticket.expires_at > self.now
        ]
        assert len(live) <= self.rules.probes


BreakerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestBreakerMachine = BreakerMachine.TestCase


# Threads


@contextmanager
def eager_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Hammer:
    """Threads that probe a half-open breaker for all they are worth."""

    def __init__(self, breaker: Breaker, now: float, probes: int) -> None:
        self.breaker, self.now, self.probes = breaker, now, probes
        self.lock, self.live, self.most, self.tickets = Lock(), 0, 0, 0
        self.errors: list[BaseException] = []

    def work(self, barrier: Barrier, outcomes: list[Outcome]) -> None:
        barrier.wait()
        try:
            for outcome in outcomes:
                self.once(outcome)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.errors.append(error)

    def once(self, outcome: Outcome) -> None:
        ticket = self.breaker.allow(self.now, lease_seconds=5.0)
        if isinstance(ticket, Rejection):
            return
        with self.lock:
            self.live += 1
            self.tickets += 1
            self.most = max(self.most, self.live)
        with self.lock:
            self.live -= 1
        self.breaker.done(ticket, outcome, self.now)

    def run(self, outcomes: list[Outcome], threads: int = 8) -> None:
        barrier = Barrier(threads)
        workers = [
            Thread(target=self.work, args=(barrier, outcomes), daemon=True) for _ in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def opened(rules: BreakerSettings, changes: list[Transition]) -> tuple[Breaker, float]:
    breaker = Breaker(rules, on_change=changes.append)
    now = 1000.0
    while breaker.state is CLOSED:
        now += 0.1
        breaker.trip(now, "host down")
    return breaker, now + 20.0


@pytest.mark.parametrize("probes", [1, 3])
def test_eight_threads_never_hold_more_leases_than_probes(probes):
    changes: list[Transition] = []
    breaker, now = opened(BreakerSettings(probes=probes), changes)
    hammer = Hammer(breaker, now, probes)
    with eager_switching():
        hammer.run([Outcome.NEUTRAL] * 1500)
    assert hammer.errors == []
    assert 1 <= hammer.most <= probes
    assert hammer.tickets >= 8
    assert breaker.state is HALF_OPEN
    assert isinstance(breaker.allow(now, lease_seconds=5.0), Ticket), "a lease was lost"
    assert [change.after for change in changes] == [OPEN, HALF_OPEN]


def test_eight_threads_lose_no_transition():
    changes: list[Transition] = []
    breaker, now = opened(BreakerSettings(success_threshold=3), changes)
    hammer = Hammer(breaker, now, 1)
    with eager_switching():
        hammer.run([Outcome.SUCCESS, Outcome.FAILURE, Outcome.NEUTRAL] * 100)
    assert hammer.errors == []
    moves = [(c.before, c.after) for c in changes]
    assert set(moves) <= LEGAL
    assert sorted(after for _, after in moves[:-1]) == sorted(before for before, _ in moves[1:])


@pytest.mark.parametrize("needed", [2, 6])
def test_eight_threads_fail_the_trial_exactly_once(needed):
    changes: list[Transition] = []
    breaker, now = opened(BreakerSettings(success_threshold=needed), changes)
    probe = breaker.allow(now, lease_seconds=5.0)
    assert isinstance(probe, Ticket)
    breaker.done(probe, Outcome.SUCCESS, now)
    hammer = Hammer(breaker, now, 1000)
    with eager_switching():
        hammer.run([Outcome.FAILURE])
    assert hammer.errors == []
    reasons = [c.reason for c in changes if c.after is OPEN]
    assert reasons.count("failed on trial") == 1


def test_eight_threads_open_it_exactly_once():
    changes: list[Transition] = []
    rules = BreakerSettings(failure_span_seconds=0, recovery="fixed")
    breaker = Breaker(rules, on_change=changes.append)
    hammer = Hammer(breaker, 1000.0, 1)
    with eager_switching():
        hammer.run([Outcome.FAILURE] * 100)
    assert hammer.errors == []
    assert [(c.before, c.after) for c in changes] == [(CLOSED, OPEN)]
