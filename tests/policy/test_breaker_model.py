"""The breaker against a reference that keeps lists, and under eight threads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Lock, Thread

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
    """What the contract says, kept in lists. Time open is the one thing it takes on trust."""

    def __init__(self, rules: BreakerSettings) -> None:
        self.rules = rules
        self.state = CLOSED
        self.isolated = False
        self.generation = 0
        self.finished: list[tuple[float, bool]] = []
        self.row: list[tuple[float, int]] = []
        self.leases: dict[int, float] = {}
        self.undecided: dict[int, tuple[int, int]] = {}
        self.decided = 0
        self.passed = 0
        self.open_until = 0.0
        self.reopened = 0
        self.closed_at: float | None = None
        self.told = 0

    def move(self, after: CircuitState) -> None:
        self.told += after is not self.state
        self.state = after
        self.generation += 1
        self.finished, self.row, self.leases, self.passed = [], [], {}, 0
        self.undecided, self.decided = {}, 0

    def live(self, now: float) -> int:
        self.leases = {key: end for key, end in self.leases.items() if end > now}
        return len(self.leases)

    def expect(self, now: float) -> str:
        """``ticket``, ``probe``, ``ramp`` (either way) or the reason of the rejection."""
        if self.isolated:
            return "isolated"
        if self.state is OPEN and now < self.open_until:
            return "open"
        if self.state is OPEN:
            self.move(HALF_OPEN)
        if self.state is HALF_OPEN:
            return "probe" if self.live(now) < self.rules.probes else "half_open"
        ramping = self.closed_at is not None and now - self.closed_at < self.rules.ramp_seconds
        return "ramp" if ramping else "ticket"

    def admit(self, call: int) -> None:
        """A call begins: how many are undecided before it, and how many were decided."""
        self.undecided[call] = (len(self.undecided), self.decided)

    def decide(self, call: int) -> int:
        """It is decided; how many of those that were before it may still be undecided."""
        before, decided = self.undecided.pop(call)
        left = max(0, before - (self.decided - decided))
        self.decided += 1
        return left

    def should_open(self, now: float, older: int) -> bool:
        width = self.rules.window_seconds / self.rules.window_buckets
        oldest = int(now / width) - self.rules.window_buckets + 1
        recent = [failed for at, failed in self.finished if int(at / width) >= oldest]
        in_row = sum(weight for _, weight in self.row)
        spans = now - self.row[0][0] >= self.rules.failure_span_seconds
        # As if all that began before the failure and are undecided were to succeed.
        row = in_row >= self.rules.failure_ratio * (in_row + older)
        share = sum(recent) >= self.rules.failure_ratio * (len(recent) + older)
        return (in_row >= self.rules.failure_threshold and spans and row) or (
            len(recent) >= self.rules.min_calls and share
        )


class BreakerMachine(RuleBasedStateMachine):
    """Calls come and go in any order while time passes."""

    @initialize(seed=st.integers(0, 10_000), probes=st.integers(1, 3), needed=st.integers(1, 3))
    def start(self, seed: int, probes: int, needed: int) -> None:
        rules = {
            name: getattr(RULES, name)
            for name in ("failure_threshold", "min_calls", "window_seconds", "window_buckets")
        }
        self.rules = BreakerSettings(**rules, probes=probes, success_threshold=needed)
        self.model = Model(self.rules)
        self.changes: list[Transition] = []
        self.breaker = Breaker(self.rules, on_change=self.changes.append)
        self.now = 1000.0
        self.out: list[tuple[Ticket, int, int, bool]] = []
        self.serial = 0
        self.last_ramped = 0.0

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 2.5, 6.0, 20.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def sit_out(self) -> None:
        if self.model.state is OPEN and not self.model.isolated:
            self.now = max(self.now, self.model.open_until)

    @rule(lease=st.sampled_from([0.5, 5.0, 60.0]))
    def allow(self, lease: float) -> None:
        peeked = self.breaker.peek(self.now)
        assert peeked == self.breaker.peek(self.now)
        told = len(self.changes)
        expected = self.model.expect(self.now)
        answer = self.breaker.allow(self.now, lease_seconds=lease)
        if expected == "ramp":
            assert peeked is None
            self._ramped(answer)
        elif expected in ("ticket", "probe"):
            assert peeked is None
            assert isinstance(answer, Ticket)
            assert (answer.expires_at == self.now + lease) is (expected == "probe")
        else:
            assert isinstance(answer, Rejection)
            assert answer.why == expected
            assert answer.until > self.now
            assert peeked == answer
        if isinstance(answer, Ticket):
            self._hand_out(answer, lease)
        assert len(self.changes) - told <= 1

    def _ramped(self, answer: Ticket | Rejection) -> None:
        if isinstance(answer, Ticket):
            assert answer.expires_at is None
            self.last_ramped = self.now
            return
        assert answer.why == "ramp"
        assert self.now <= answer.until <= self.now + self.rules.ramp_seconds
        assert self.now - self.last_ramped < 1.0, "a quiet service was held back"

    def _hand_out(self, ticket: Ticket, lease: float) -> None:
        self.serial += 1
        if self.model.state is HALF_OPEN:
            self.model.leases[self.serial] = self.now + lease
        is_probe = ticket.expires_at is not None
        if not is_probe:
            self.model.admit(self.serial)
        self.out.append((ticket, self.serial, self.model.generation, is_probe))

    @precondition(lambda self: self.out)
    @rule(
        pick=st.integers(0, 1000),
        outcome=st.sampled_from(
            [Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE, Outcome.NEUTRAL]
        ),
        weight=st.sampled_from([1, 1, 3]),
    )
    def done(self, pick: int, outcome: Outcome, weight: int) -> None:
        ticket, serial, generation, is_probe = self.out.pop(pick % len(self.out))
        counts = generation == self.model.generation
        if is_probe:
            # An expired lease that nobody else asked for may still be heard.
            counts = counts and serial in self.model.leases
        self.breaker.done(ticket, outcome, self.now, weight=weight)
        if counts and is_probe:
            self._probe_done(serial, outcome)
        elif counts:
            self._call_done(outcome, weight, self.model.decide(serial))

    def _probe_done(self, serial: int, outcome: Outcome) -> None:
        del self.model.leases[serial]
        if outcome is Outcome.FAILURE:
            self.model.reopened += 1
            self._opened()
        if outcome is Outcome.SUCCESS:
            self.model.passed += 1
            if self.model.passed >= self.rules.success_threshold:
                self.model.reopened = 0
                self.model.move(CLOSED)
                self.model.closed_at = self.last_ramped = self.now

    def _call_done(self, outcome: Outcome, weight: int, older: int) -> None:
        if outcome is Outcome.NEUTRAL:
            return
        failed = outcome is Outcome.FAILURE
        self.model.finished.append((self.now, failed))
        if not failed:
            self.model.row = []
            return
        self.model.row.append((self.now, weight))
        if self.model.should_open(self.now, older):
            self._opened()

    def _opened(self) -> None:
        seconds = self.changes[-1].open_seconds
        assert seconds is not None
        grown = self.rules.open_seconds * self.rules.open_multiplier**self.model.reopened
        expected = min(grown, self.rules.recovery_timeout_seconds)
        assert expected <= seconds <= expected * 1.1 + 1e-9
        self.model.move(OPEN)
        self.model.closed_at = None
        self.model.open_until = self.now + seconds

    @rule()
    def isolate(self) -> None:
        self.breaker.isolate()
        self.model.isolated = True
        self.model.move(OPEN)
        self.model.closed_at = None

    @rule()
    def trip(self) -> None:
        self.breaker.trip(self.now, "host down")
        if self.model.state is CLOSED:
            self._opened()

    @rule()
    def restore(self) -> None:
        self.breaker.restore()
        self.model.isolated = False
        self.model.reopened = self.breaker._reopened
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
            ticket
            for ticket, _, generation, is_probe in self.out
            if is_probe
            and generation == self.model.generation
            and ticket.expires_at is not None
            and ticket.expires_at > self.now
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
    breaker, now = opened(BreakerSettings(open_seconds=0.01, ramp_seconds=0), changes)
    hammer = Hammer(breaker, now, 1)
    with eager_switching():
        hammer.run([Outcome.SUCCESS, Outcome.FAILURE, Outcome.NEUTRAL] * 100)
    assert hammer.errors == []
    assert {(c.before, c.after) for c in changes} <= LEGAL
    assert sum(c.after is CLOSED for c in changes) <= sum(c.before is HALF_OPEN for c in changes)


def test_eight_threads_open_it_exactly_once():
    changes: list[Transition] = []
    breaker = Breaker(BreakerSettings(failure_span_seconds=0), on_change=changes.append)
    hammer = Hammer(breaker, 1000.0, 1)
    with eager_switching():
        hammer.run([Outcome.FAILURE] * 100)
    assert hammer.errors == []
    assert [(c.before, c.after) for c in changes] == [(CLOSED, OPEN)]
