"""The bulkhead against a plain queue, and under threads."""

from collections import deque
from threading import Barrier, Lock, Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from failsoft.policy.pacing import Bulkhead, Place


class BulkheadMachine(RuleBasedStateMachine):
    """Whoever comes, waits, gives up and leaves, in any order, some of them twice."""

    @initialize(limit=st.integers(1, 4), queue=st.integers(0, 4))
    def start(self, limit: int, queue: int) -> None:
        self.limit, self.queue_limit = limit, queue
        self.bulkhead = Bulkhead(limit, queue)
        self.inside: list[Place] = []
        self.waiting: deque[Place] = deque()
        self.gone: list[Place] = []

    @rule()
    def enter(self) -> None:
        was_full = self.bulkhead.full
        assert was_full is (len(self.inside) == self.limit)
        place = self.bulkhead.enter()
        if not was_full:
            assert place is not None
            assert place.state == "held"
            self.inside.append(place)
        elif len(self.waiting) < self.queue_limit:
            assert place is not None
            assert place.state == "waiting"
            self.waiting.append(place)
        else:
            assert place is None

    @precondition(lambda self: self.inside)
    @rule(pick=st.integers(0, 99))
    def leave(self, pick: int) -> None:
        place = self.inside.pop(pick % len(self.inside))
        heir = self.bulkhead.leave(place)
        self.gone.append(place)
        if self.waiting:
            assert heir is self.waiting.popleft(), "first come, first served"
            assert heir.state == "held"
            self.inside.append(heir)
        else:
            assert heir is None

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 99))
    def abandon(self, pick: int) -> None:
        place = self.waiting[pick % len(self.waiting)]
        self.waiting.remove(place)
        assert self.bulkhead.leave(place) is None
        self.gone.append(place)

    @precondition(lambda self: self.gone)
    @rule(pick=st.integers(0, 99))
    def leave_again(self, pick: int) -> None:
        assert self.bulkhead.leave(self.gone[pick % len(self.gone)]) is None

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "bulkhead"):
            assert self.bulkhead.held == len(self.inside) <= self.limit
            assert self.bulkhead.waiting == len(self.waiting) <= self.queue_limit
            assert not (self.waiting and len(self.inside) < self.limit), "a lost wake-up"

    def teardown(self) -> None:
        if hasattr(self, "bulkhead"):
            for place in [*self.waiting, *self.inside]:
                self.bulkhead.leave(place)
            assert (self.bulkhead.held, self.bulkhead.waiting) == (0, 0)


BulkheadMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestBulkheadMachine = BulkheadMachine.TestCase


def test_whoever_waits_first_goes_in_first():
    bulkhead = Bulkhead(1, queue=3)
    inside, *waiting = [bulkhead.enter() for _ in range(4)]
    assert bulkhead.enter() is None
    order = []
    while inside is not None:
        inside = bulkhead.leave(inside)
        order.append(inside)
    assert order == [*waiting, None]


def test_a_waiter_that_gave_up_is_passed_over():
    bulkhead = Bulkhead(1, queue=2)
    inside, impatient, patient = bulkhead.enter(), bulkhead.enter(), bulkhead.enter()
    assert inside is not None
    assert impatient is not None
    assert bulkhead.leave(impatient) is None
    assert bulkhead.leave(inside) is patient


def test_a_waiter_that_gives_up_just_after_it_was_let_in_passes_its_place_on():
    bulkhead = Bulkhead(1, queue=2)
    inside, late, patient = bulkhead.enter(), bulkhead.enter(), bulkhead.enter()
    assert inside is not None
    assert bulkhead.leave(inside) is late
    assert late is not None
    assert bulkhead.leave(late) is patient


@pytest.mark.parametrize("queue", [0, 5])
def test_threads_leak_no_place(queue):
    bulkhead, lock, barrier = Bulkhead(3, queue), Lock(), Barrier(8)
    turned_away, errors = [], []

    def work() -> None:
        barrier.wait()
        for _ in range(300):
            place = bulkhead.enter()
            if place is None:
                with lock:
                    turned_away.append(1)
                continue
            if bulkhead.held > 3 or bulkhead.waiting > queue:
                errors.append((bulkhead.held, bulkhead.waiting))
            bulkhead.leave(place)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (bulkhead.held, bulkhead.waiting) == (0, 0)
