"""What keeps a process and the store of one mind, step by step: flaws that were found."""

import asyncio
import threading
from dataclasses import replace
from random import Random

import pytest
from led_world import LEASE_SECONDS, RULES, TARGETS, World
from memory_store import MemoryStore

from failsoft.classify import verdict_for
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Rejection
from failsoft.shared_state.outbox import BreakerOutbox, SharedCoordinator
from failsoft.shared_state.store import StoreError

X, Y = TARGETS
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def fail_until_open(world, process, target=X):
    for _ in range(20):
        world.do(process.call(target, "overloaded"))
        world.wait(0.1)
        if process.breaker(target).state is OPEN:
            return
    raise AssertionError("it does not open")


def well_again(world, target=X, seconds=20.0):
    until = world.loop.time() + seconds
    while world.loop.time() < until:
        for process in world.processes:
            world.do(process.call(target))
        world.wait(0.25)
    return {process.breaker(target).state for process in world.processes} == {CLOSED}


def test_an_opening_is_in_force_everywhere_and_is_over_everywhere(world):
    fail_until_open(world, world.processes[0])
    world.wait(0.02)
    assert {p.breaker(X).state for p in world.processes} == {OPEN}
    assert well_again(world)


def test_a_closed_breaker_shows_what_the_store_has_counted(world):
    first, second = world.processes[:2]

    def shown(process, target=X):
        status = process.breaker(target).status(process.now())
        return status.calls, status.failures, status.failures_in_row

    for process in (first, second):
        for reason in (None, "overloaded"):
            world.do(process.call(X, reason))
            world.wait(0.5)
    world.wait(1.0)
    assert shown(second) == (4, 2, 1)
    assert shown(first) == (2, 1, 1)  # when it last told of a call
    world.wait(RULES.window_seconds)
    assert shown(second) == shown(first) == (0, 0, 0)
    fail_until_open(world, first)
    status = first.breaker(X).status(first.now())
    assert (status.calls, status.failures) == (3, 3)  # the fourth in a row was before the window
    assert well_again(world)
    assert shown(first)[1] == 0


def test_what_goes_well_elsewhere_is_told_as_soon_as_a_call_fails_somewhere(world):
    """In a calm it is told once a second; a row of failures opens after a quarter of one."""
    broken, *others = world.processes
    for _ in range(30):
        world.wait(0.1)
        for process in others:
            world.do(process.call(X))
    for _ in range(25):
        world.do(broken.call(X, "overloaded"))
        for process in others:
            world.do(process.call(X))
        world.wait(0.04)
    assert {process.breaker(X).state for process in world.processes} == {CLOSED}


def test_a_lease_that_nobody_could_ask_for_does_not_leave_a_process_alone(world):
    first = world.processes[0]
    fail_until_open(world, first)
    world.wait(1.2)
    first.link.lose_requests = 1  # the one that asks for the lease: all else goes well
    world.do(first.call(X))
    assert not first.leading.switch.leads
    world.wait(2.0)
    assert first.leading.switch.leads
    assert first.lines[-1] == ""


def test_a_lease_that_was_granted_with_news_is_used(world):
    first, second = world.processes[:2]
    first.link.pushes = "dropped"
    second.link.pushes = "dropped"
    fail_until_open(world, second)
    first.breaker(X)._state = OPEN  # as one that has missed a whole generation
    first.breaker(X)._open_until = 0.0
    world.wait(0.0)
    kept = world.kept()["breaker:a/x"]
    world.ahead_ms += max(0, kept.until - world.clock_ms()) + 1
    assert world.do(first.admit(X)) is not None


@pytest.mark.parametrize("act", ["isolate", "restore"])
def test_what_is_done_by_hand_without_the_store_is_told_when_it_is_back(world, act):
    first, second = world.processes[:2]
    if act == "restore":
        second.breaker(X).isolate()
        world.wait(0.1)
    first.link.cut = True
    world.wait(2.0)
    getattr(first.breaker(X), act)()
    world.wait(2.0)
    world.quiet()
    assert {p.breaker(X)._isolated for p in world.processes} == {act == "isolate"}
    assert world.apart() == []


def test_a_restore_that_reaches_a_store_that_has_just_lost_all_holds_everywhere(world):
    """The store's clock is behind the generation by then, and another one asks for a probe."""
    first, second = world.processes[:2]
    world.ahead_ms = 5000
    fail_until_open(world, second)
    world.wait(4.0)
    world.store.clear()
    world.ahead_ms = 0
    first.breaker(X).restore()
    world.wait(0.004)
    world.do(second.admit(X))
    world.quiet()
    assert world.apart() == []
    assert {p.breaker(X).state for p in world.processes} == {CLOSED}


def test_an_isolation_holds_although_the_store_is_emptied_before_and_behind_it(world):
    first = world.processes[0]
    world.do(first.call(X, "overloaded"))
    world.wait(0.1)
    world.store.clear()
    first.breaker(X).isolate()
    world.wait(0.05)
    world.store.clear()
    world.quiet()
    assert world.apart() == []
    assert {p.breaker(X)._isolated for p in world.processes} == {True}


def test_what_is_done_by_hand_is_not_undone_by_what_was_told_before(world):
    first = world.processes[0]
    first.link.pushes = "late"
    fail_until_open(world, first)
    world.do(asyncio.sleep(0))
    first.breaker(X).isolate()
    for _ in range(30):
        world.wait(0.1)
        assert first.breaker(X)._isolated


def test_an_isolated_one_stays_so_over_the_loss_of_the_store_whoever_tells_first(world):
    first, second = world.processes[:2]
    second.link.pushes = "dropped"
    second.link.cut = True
    world.wait(1.5)
    fail_until_open(world, second)  # alone, and it knows of nothing else
    first.breaker(X).isolate()
    world.wait(0.1)
    world.store.clear()
    first.link.cut = True
    second.link.cut = False
    world.wait(1.2)  # second tells first
    world.quiet()
    assert {p.breaker(X)._isolated for p in world.processes} == {True}


def test_a_store_that_has_gone_back_believes_who_knows_more(world):
    first = world.processes[0]
    fail_until_open(world, first)
    kept = world.kept()["breaker:a/x"]
    kept.generation, kept.state, kept.until = kept.generation - 1, "closed", 0
    world.wait(1.3)
    assert world.kept()["breaker:a/x"].state == "open"
    assert world.apart() == []
    assert well_again(world)


def test_calls_that_were_undecided_long_ago_keep_nothing_closed(world):
    first, second = world.processes[:2]
    slow = [world.do(first.admit(X)) for _ in range(40)]
    world.do(first.call(X))
    last = world.do(first.admit(X))
    first.finish(last, "overloaded")
    world.wait(0.3)
    for permit in slow:
        first.finish(permit)
    world.wait(0.3)
    fail_until_open(world, second)


def test_a_park_within_a_bench_is_over_everywhere(world):
    first, second = world.processes[:2]
    world.do(first.call(X, "billing"))
    bench = first.benches()["hold:account a"]
    left = bench.until - first.now()
    world.wait(0.1)
    bench.release()
    world.wait(0.1)
    bench.bench(first.now(), left, verdict_for("requests"))
    bench.park(first.now(), verdict_for("billing"))  # ends when the bench does
    world.wait(0.1)
    assert world.kept()["hold:account a"].probe_due
    world.wait(left)
    assert world.do(second.call(X)) is not None
    world.wait(1.5)
    assert world.do(first.call(X)) is not None


def test_one_that_only_counts_is_well_again_too():
    world = World(MemoryStore, processes=1, rules=replace(RULES, metrics_only=True))
    fail_until_open(world, world.processes[0])
    assert well_again(world)
    world.close()


def test_a_result_of_an_older_generation_changes_nothing(world):
    first, second = world.processes[:2]
    old = [world.do(first.admit(X)) for _ in range(10)]
    fail_until_open(world, second)
    second.breaker(X).restore()
    world.wait(0.5)
    for permit in old:
        first.finish(permit, "overloaded")
        world.wait(0.1)
    assert world.kept()["breaker:a/x"].row == 0
    assert first.breaker(X).state is CLOSED


def test_what_was_counted_alone_is_dropped(world):
    first = world.processes[0]
    first.link.cut = True
    world.wait(1.5)
    for _ in range(3):
        world.do(first.call(X, "overloaded"))
    world.quiet()
    assert first.breaker(X).status(first.now()).failures == 0
    world.do(first.call(X, "overloaded"))
    world.wait(0.5)
    assert world.kept()["breaker:a/x"].row == 1


def test_an_opening_alone_is_merged(world):
    first = world.processes[0]
    first.link.cut = True
    world.wait(1.5)
    fail_until_open(world, first)
    assert world.processes[1].breaker(X).state is CLOSED
    first.link.cut = False
    world.wait(0.7)
    assert {p.breaker(X).state for p in world.processes} == {OPEN}


class Odd:
    """A store that does something odd once, and is a store otherwise."""

    def __init__(self, store, oddity):
        self._store, self._oddity = store, oddity

    async def run(self, operations):
        oddity, self._oddity = self._oddity, None
        if isinstance(oddity, Exception):
            raise oddity
        replies = await self._store.run(operations)
        return oddity(replies) if oddity else replies

    async def listen(self, on_change, on_ready):
        await self._store.listen(on_change, on_ready)


@pytest.mark.parametrize(
    "oddity",
    [
        StoreError("gone"),
        RuntimeError("odd"),
        KeyError("key"),
        lambda _: [{}],
        lambda replies: [{**told, "state": "ajar", "kind": 7} for told in replies],
        lambda replies: [{**told, "cause": "of a later version"} for told in replies],
        lambda _: [None],
    ],
)
def test_whatever_a_store_does_it_is_tried_again(world, oddity):
    first = world.processes[0]
    first.sharing._store = Odd(first.link, oddity)
    world.wait(4.0)
    assert not first.task.done()
    assert first.leading.switch.leads
    fail_until_open(world, first)


@pytest.mark.parametrize("junk", [{}, {"key": "breaker:a/x"}, {"key": "breaker:a/x", "now": "?"}])
def test_junk_that_is_pushed_is_passed_over(world, junk):
    first = world.processes[0]
    first.sharing._changed(junk)
    world.wait(2.0)
    assert first.lines == [""]


def test_one_process_opens_and_closes_as_a_breaker_of_its_own():
    for seed in range(6):
        rng, world = Random(seed), World(MemoryStore, processes=1)
        process, own = world.processes[0], Breaker(RULES)
        shared = process.breaker(X)
        world.do(process.call(X))
        own.done(own.allow(process.now(), lease_seconds=LEASE_SECONDS), Outcome.SUCCESS, 0.0)
        world.wait(0.5)
        for _ in range(150):
            bad = rng.random() < 0.7
            now, permit = process.now(), world.do(process.admit_as(X, None))
            ticket = own.allow(now, lease_seconds=LEASE_SECONDS)
            if permit is not None:
                process.finish(permit, "overloaded" if bad else None)
            if not isinstance(ticket, Rejection):
                own.done(ticket, Outcome.FAILURE if bad else Outcome.SUCCESS, now)
            world.wait(0.3)
            assert (shared.state is CLOSED) == (own.state is CLOSED)
            if own.state is not CLOSED:
                # The store counts in milliseconds: neither is asked on the edge of its time.
                world.wait(RULES.recovery_timeout_seconds * 1.2)
        world.close()


def test_notes_of_many_threads_are_all_told():
    leading = SharedCoordinator(RULES, now=lambda: 0.0, wake=lambda: None)
    leading.switch.leads = True
    notes = leading.breaker(X)
    done, told = threading.Event(), []

    def tell():
        for _ in range(3000):
            notes.began(ends_row=True)
            notes.failed(weight=1, older=0)

    def take():
        while not done.is_set():
            told.extend(leading.take())

    tellers = [threading.Thread(target=tell) for _ in range(4)]
    taker = threading.Thread(target=take)
    for thread in (*tellers, taker):
        thread.start()
    for thread in tellers:
        thread.join()
    done.set()
    taker.join()
    told.extend(leading.take())
    assert sum(step.arguments[3] for step in told) == 24_000
    assert sum(step.arguments[4] for step in told) == 12_000
    assert len({step.arguments[1] for step in told}) == len(told)


def test_nothing_grows_while_nobody_is_told():
    leading = SharedCoordinator(RULES, now=lambda: 0.0, wake=lambda: None)
    notes = leading.breaker(X)
    assert isinstance(notes, BreakerOutbox)
    leading.switch.leads = True
    for _ in range(1000):
        notes.failed(weight=1, older=0)
        notes.by_hand("isolate")
    assert len(leading.take()) == 2


class FailingStore(MemoryStore):
    """One that can be listened to until it fails."""

    def __init__(self, clock):
        super().__init__(clock)
        self.fails = asyncio.Event()

    async def listen(self, _on_change, on_ready):
        on_ready()
        await self.fails.wait()
        raise StoreError("gone")


def test_a_process_that_leaves_as_the_store_fails_leaves():
    world = World(FailingStore, processes=1)
    (process,) = world.processes

    async def fail_and_leave():
        world.store.fails.set()
        await asyncio.sleep(0)  # the listener fails; its task group does not know yet
        process.stop()
        await asyncio.wait({process.task}, timeout=5)

    world.do(fail_and_leave())
    assert process.task.cancelled()
    world.close()
