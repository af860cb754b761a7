"""One caller's failures, sent through several processes that share their breakers."""

import pytest
from led_world import RULES, TARGETS, World
from memory_store import MemoryStore

from failsoft.config.settings import BreakerSettings
from failsoft.policy.breaker import CircuitState
from failsoft.policy.callers import WELL_SECONDS

X, _ = TARGETS
OPEN, HALF_OPEN, CLOSED = CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED


def opened_by(world, *callers):
    """Each process meets each caller's failures until the breaker is open everywhere."""
    for _ in range(RULES.min_calls):
        for process in world.processes:
            for who in callers:
                world.do(process.call(X, "server_error", who))
        world.wait(0.1)
    assert states(world) == {OPEN}


def states(world):
    return {process.breaker(X).state for process in world.processes}


def test_another_caller_probes_at_once_in_any_process(world):
    for place in range(3):
        opened_by(world, "a")
        for process in world.processes:
            assert world.do(process.call(X, who="a")) is None
        process = world.processes[place]
        assert world.do(process.call(X, who="b")) is not None
        world.wait(0.02)
        assert states(world) == {CLOSED}
        world.wait(RULES.ramp_seconds)


def test_a_process_that_has_not_met_the_caller_lets_others_in_too(world):
    first, second, _ = world.processes
    for _ in range(20):
        world.do(first.call(X, "server_error", "a"))
        world.wait(0.1)
    assert states(world) == {OPEN}
    assert world.do(second.call(X, who="b")) is not None


def test_only_one_probes_at_a_time(world):
    opened_by(world, "a")
    first, second, third = world.processes
    probe = world.do(first.admit(X, "b"))
    assert probe is not None
    world.wait(0.02)
    assert world.do(first.call(X, who="c")) is None
    assert world.do(second.call(X, who="c")) is None
    first.finish(probe)
    world.wait(0.02)
    assert world.do(third.call(X, who="c")) is not None


def test_the_same_caller_through_a_new_process_does_not_keep_others_out(world):
    first, second, third = world.processes
    for _ in range(20):
        world.do(first.call(X, "server_error", "a"))
        world.wait(0.1)
    # The second process has not seen this caller fail, and lets it probe once.
    assert world.do(second.call(X, "server_error", "a")) is not None
    world.wait(0.02)
    assert states(world) == {OPEN}
    assert world.do(second.call(X, who="a")) is None
    assert world.do(third.call(X, who="b")) is not None


def test_a_probe_that_fails_for_another_caller_too_is_an_outage(world):
    opened_by(world, "a")
    first, second, _ = world.processes
    assert world.do(first.call(X, "server_error", "b")) is not None
    world.wait(0.02)
    assert states(world) == {OPEN}
    assert world.do(first.call(X, who="c")) is None
    assert world.do(second.call(X, who="c")) is None


@pytest.mark.parametrize("callers", [("a", "b"), ("a", None), (None,)])
def test_what_several_or_unnamed_callers_opened_stays_open(world, callers):
    opened_by(world, *callers)
    for process in world.processes:
        assert world.do(process.call(X, who="c")) is None


def test_without_the_store_each_process_goes_by_what_it_has_seen(world):
    opened_by(world, "a")
    for process in world.processes:
        process.link.cut = True
    world.wait(2)
    first = world.processes[0]
    assert not first.leading.switch.leads
    for _ in range(20):
        world.do(first.call(X, "server_error", "a"))
        if first.breaker(X).state is OPEN:
            break
        world.wait(0.1)
    assert first.breaker(X).state is OPEN
    assert world.do(first.call(X, who="a")) is None
    assert world.do(first.call(X, who="b")) is not None


@pytest.fixture(params=[2, 3, 5])
def many(request):
    """So many processes, by the usual rules, each of which has answered another caller."""
    world = World(MemoryStore, request.param, BreakerSettings())
    for _ in range(2):
        everywhere(world, None, "b")
    yield world
    world.close()


def everywhere(world, reason, *callers):
    for process in world.processes:
        for who in callers:
            assert world.do(process.call(X, reason, who)) is not None
    world.wait(0.1)


def test_one_callers_failures_share_its_half_among_the_processes(many):
    for _ in range(20):
        for _ in range(5):
            everywhere(many, "server_error", "a")
        everywhere(many, None, "b")
    assert states(many) == {CLOSED}


def test_an_outage_that_three_callers_meet_opens_in_all_processes(many):
    for _ in range(5):
        if states(many) != {CLOSED}:
            break
        for who in ("a", "c", "d"):
            for process in many.processes:
                many.do(process.call(X, "server_error", who))
            many.wait(0.3)
    assert states(many) == {OPEN}


def closed_on_trial(world, who):
    """Opened by what all meet, and closed by this caller's probe in the first process."""
    first, *_ = world.processes
    while states(world) != {OPEN}:
        world.do(first.call(X, "server_error"))
        world.wait(0.1)
    world.wait(WELL_SECONDS)
    assert world.do(first.call(X, None, who)) is not None
    world.wait(0.02)
    assert (states(world), trials(world)) == ({CLOSED}, {True})


def trials(world):
    return {process.breaker(X).on_trial for process in world.processes}


def test_one_callers_failure_ends_no_trial_while_others_are_answered(many):
    closed_on_trial(many, "b")
    for process in many.processes:
        process.answered.note("b", process.now())  # by another model
    everywhere(many, "server_error", "a")
    many.wait(1.0)
    assert states(many) == {CLOSED}
    for _ in range(BreakerSettings().success_threshold):
        everywhere(many, None, "b")
    many.wait(1.0)
    assert trials(many) == {False}


def test_a_failure_on_trial_opens_in_all_processes_where_nobody_else_is_answered(many):
    closed_on_trial(many, "a")
    assert many.do(many.processes[1].call(X, "server_error", "a")) is not None
    many.wait(0.02)
    assert states(many) == {OPEN}
