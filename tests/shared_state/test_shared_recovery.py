"""One breaker of several processes comes back: one probe, one trial, an end that all hear of."""

import asyncio
from dataclasses import replace

import pytest
from led_world import ADAPTIVE, RULES, TARGETS, World
from memory_store import MemoryStore

from failsoft.policy.breaker import CircuitState
from failsoft.shared_state.outbox import breaker_key

X, _ = TARGETS
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


@pytest.fixture(params=[RULES, ADAPTIVE], ids=["fixed", "adaptive"])
def pair(request):
    world = World(MemoryStore, processes=2, rules=replace(request.param, success_threshold=3))
    yield world
    world.close()


def states(world):
    return {process.breaker(X).state for process in world.processes}


def open_it(world):
    first = world.processes[0]
    first.breaker(X).trip(first.now(), "host down")
    world.wait(0.02)
    assert states(world) == {OPEN}


def admitted(world, process):
    """Leave for one call, asked for until there is one."""
    for _ in range(200):
        permit = world.do(process.admit(X))
        if permit is not None:
            return permit
        world.wait(0.05)
    raise AssertionError("no call is let through")


def test_a_failure_in_one_process_fails_the_trial_that_began_in_another(pair):
    first, second = pair.processes
    open_it(pair)
    first.finish(admitted(pair, first))
    pair.wait(0.02)
    assert states(pair) == {CLOSED}
    second.finish(admitted(pair, second), "overloaded")
    pair.wait(0.02)
    assert states(pair) == {OPEN}
    assert {p.changes[-1][1].reason for p in pair.processes} == {"failed on trial"}


def test_the_successes_of_all_processes_end_the_trial(pair):
    first, second = pair.processes
    open_it(pair)
    for process in (first, first, second):
        process.finish(admitted(pair, process))
        pair.wait(1.1)  # in a calm what goes well is told once a second
    for process in (first, second):
        process.finish(admitted(pair, process), "overloaded")
        pair.wait(0.02)
        assert states(pair) == {CLOSED}


def test_one_success_too_few_leaves_it_on_trial(pair):
    first, second = pair.processes
    open_it(pair)
    for process in (first, second):
        process.finish(admitted(pair, process))
        pair.wait(1.1)
    first.finish(admitted(pair, first), "overloaded")
    pair.wait(0.02)
    assert states(pair) == {OPEN}


def test_one_probe_at_a_time_is_out_over_all_processes(pair):
    async def all_ask():
        asked = [process.admit(X) for process in pair.processes for _ in range(5)]
        return [permit for permit in await asyncio.gather(*asked) if permit is not None]

    open_it(pair)
    lent = []
    for _ in range(200):
        lent = pair.do(all_ask())
        if lent:
            break
        pair.wait(0.05)
    assert len(lent) == 1
    pair.wait(0.02)
    assert states(pair) == {HALF_OPEN}
    for _ in range(20):  # less than its lease
        pair.wait(0.1)
        assert pair.do(all_ask()) == []


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("reason", [None, "overloaded"])
def test_a_probes_end_in_one_process_ends_the_wait_in_another(pair, reason, asked_before):
    first, second = pair.processes
    open_it(pair)
    if asked_before:
        assert pair.do(second.admit(X)) is None
    probe = admitted(pair, first)
    pair.wait(0.02)
    waits = second.request()
    assert pair.do(second.admit_as(X, waits)) is None
    until = waits.await_probe(X.circuit, second.now())
    assert until == pytest.approx(second.now() + 2.0, abs=0.1)
    assert second.recovery.waiting == 1
    told = len(second.changes)
    first.finish(probe, reason)
    pair.wait(0.02)
    # What wakes the waiting is the change itself, see `Runtime`.
    ((_, change),) = second.changes[told:]
    assert change.after is (CLOSED if reason is None else OPEN)
    waits.stop_waiting()
    assert second.recovery.waiting == 0
    assert waits.await_probe(X.circuit, second.now()) is None
    assert (pair.do(second.admit_as(X, waits)) is not None) == (reason is None)


def test_a_process_that_heard_of_the_closing_starts_slowly_too(pair):
    first, second = pair.processes
    open_it(pair)
    probe = admitted(pair, first)
    pair.wait(0.02)
    waits = second.request()
    assert pair.do(second.admit_as(X, waits)) is None
    assert waits.await_probe(X.circuit, second.now()) is not None
    first.finish(probe)
    pair.wait(0.02)
    for process in pair.processes:
        permits = [pair.do(process.admit(X)) for _ in range(10)]
        assert sum(permit is not None for permit in permits) == 1


def test_an_opening_alone_is_merged(pair):
    first, second = pair.processes
    first.link.cut = True
    pair.wait(1.5)
    assert not first.leading.switch.leads
    first.breaker(X).trip(first.now(), "host down")
    assert (first.breaker(X).state, second.breaker(X).state) == (OPEN, CLOSED)
    first.link.cut = False
    pair.wait(0.7)
    assert first.leading.switch.leads
    assert states(pair) == {OPEN}
    first.finish(admitted(pair, first))
    pair.wait(0.02)
    assert states(pair) == {CLOSED}


@pytest.mark.parametrize("reason", [None, "overloaded", "cancelled"])
def test_a_probe_that_ends_without_the_store_is_told_when_it_is_back(pair, reason):
    """Its lease is kept there: without its end nobody might probe before the lease is over."""
    first = pair.processes[0]
    open_it(pair)
    probe = admitted(pair, first)
    first.link.cut = True
    pair.wait(1.5)
    assert not first.leading.switch.leads
    first.finish(probe, reason)
    told = len(first.changes)
    first.link.cut = False
    pair.wait(0.8)
    assert first.leading.switch.leads
    assert states(pair) == {CLOSED} if reason is None else CLOSED not in states(pair)
    if reason is None:
        after = [change.after for _, change in first.changes[told:]]
        assert HALF_OPEN not in after
    assert pair.kept()[breaker_key(X.id)].leases == {}


def test_an_opening_after_such_a_probe_is_not_undone_by_it(pair):
    first = pair.processes[0]
    open_it(pair)
    probe = admitted(pair, first)
    first.link.cut = True
    pair.wait(1.5)
    first.finish(probe)
    assert first.breaker(X).state is CLOSED
    first.finish(admitted(pair, first), "overloaded")
    assert first.breaker(X).state is OPEN
    first.link.cut = False
    pair.wait(0.8)
    assert CLOSED not in states(pair)


def test_a_lease_whose_grant_was_lost_keeps_nobody_waiting(pair):
    first = pair.processes[0]
    open_it(pair)
    pair.wait(2.0)
    first.link.lose_replies = 1
    pair.do(first.admit(X))
    pair.wait(0.9)
    assert first.leading.switch.leads
    assert pair.kept()[breaker_key(X.id)].leases == {}


def test_the_probe_of_a_park_that_ends_without_the_store_is_told_when_it_is_back(pair):
    first = pair.processes[0]
    first.finish(admitted(pair, first), "billing")
    pair.wait(2.5)
    probe = admitted(pair, first)
    assert probe.leases
    first.link.cut = True
    pair.wait(1.5)
    first.finish(probe)
    first.link.cut = False
    pair.wait(0.8)
    for process in pair.processes:
        assert pair.do(process.admit(X)) is not None


@pytest.mark.parametrize("back_seconds", [5, 3600])
def test_a_store_whose_clock_is_set_back_keeps_nobody_out(pair, back_seconds):
    """Its times are of its own wall clock, and a copy that takes its place has another one."""
    first, second = pair.processes
    open_it(pair)
    pair.ahead_ms -= 1000 * back_seconds
    pair.wait(2.5)
    probe = pair.do(first.admit(X)) or pair.do(second.admit(X))
    assert probe is not None
    pair.ahead_ms -= 1000 * back_seconds
    pair.wait(7.0)  # the lease is over, and its probe has not come back
    assert pair.do(first.admit(X)) or pair.do(second.admit(X))


def test_a_bench_is_no_longer_where_the_stores_clock_is_set_back(pair):
    first = pair.processes[0]
    first.finish(admitted(pair, first), "requests", wait_seconds=3.0)
    pair.wait(1.5)
    pair.ahead_ms -= 3_600_000
    pair.start_another(1)
    pair.wait(3.0)
    assert pair.do(pair.processes[1].admit(X)) is not None
