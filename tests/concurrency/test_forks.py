"""A process that was forked, before and after its parent had used the engine."""

import asyncio
import gc
import threading
from random import Random

import pytest
import uvloop
from concurrency_kit import settings
from forked import fork
from led_world import ADAPTIVE, TARGETS, World
from memory_store import MemoryStore

from failsoft import BlockingFailsoft, Failsoft, StreamDone
from failsoft.classify import verdict_for
from failsoft.config.settings import (
    BreakerSettings,
    BulkheadSettings,
    CacheSettings,
    RetrySettings,
)
from failsoft.forks import in_every_child
from failsoft.policy.bench import Bench, Lease
from failsoft.policy.breaker import Breaker, CircuitState, Outcome, Ticket
from failsoft.policy.coordination import Granted
from failsoft.shared_state.outbox import hold_key
from failsoft.testing import RunningSimulator


@pytest.fixture
def upstream():
    with RunningSimulator() as running:
        yield running


def asked(ai, question="What is escrow?"):
    answer = asyncio.run(ai.ask(question, principal="ann", timeout=5))
    return answer.status, answer.level


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_parent_and_children_go_on_by_themselves(upstream, used, loop_factory):
    ai = Failsoft(settings(upstream))

    def ask():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(ai.ask("Hello?")).status

    if used:
        ask()
    children = [fork(lambda: [ask(), asyncio.run(ai.aclose())]) for _ in range(2)]
    assert ask() == "success"
    assert [child()[0] for child in children] == ["success"] * 2
    assert ask() == "success"
    asyncio.run(ai.aclose())


def test_a_fork_inside_of_a_running_loop_leaves_the_parents_connections_alone(upstream):
    async def main():
        async with Failsoft(settings(upstream)) as ai:
            before = (await ai.ask("Hello?")).status
            child = fork(lambda: asked(ai))
            answer = await asyncio.to_thread(child)
            return before, answer, (await ai.ask("Hello?", timeout=5)).status

    assert asyncio.run(main()) == ("success", ["success", "full"], "success")


@pytest.mark.parametrize("used", [False, True])
def test_the_blocking_form_has_a_thread_of_its_own_in_each_process(upstream, used):
    ai = BlockingFailsoft(settings(upstream))
    if used:
        ai.ask("Hello?")

    def work():
        statuses = ai.ask("Hello?").status, len(list(ai.stream("Hello?"))) > 3
        ai.close()
        return statuses

    children = [fork(work) for _ in range(2)]
    assert [child() for child in children] == [["success", True]] * 2
    assert ai.ask("Hello?").status == "success"
    ai.close()


def test_a_blocking_form_that_a_child_never_uses_closes_at_once(upstream):
    with BlockingFailsoft(settings(upstream)) as ai:
        ai.ask("Hello?")
        assert fork(ai.close)() is None
        assert ai.ask("Hello?").status == "success"


def test_a_stream_begun_in_the_parent_stays_the_parents(upstream):
    upstream.set("*", faults=["latency;between_events_ms=10"])
    with BlockingFailsoft(settings(upstream)) as ai:
        stream = ai.stream("What is escrow?")
        next(stream)

        def work():
            stream.close()
            return ai.ask("What is escrow?").status

        assert fork(work)() == "success"
        *_, last = stream
    assert isinstance(last, StreamDone)


def test_what_is_under_way_at_the_fork_takes_no_place_in_the_child(upstream):
    upstream.set("*", faults=["hang"])
    one = settings(upstream, bulkhead=BulkheadSettings(route_limit=1, target_limit=1))
    ai = Failsoft(one)
    leave = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_ask_until(ai, leave)))
    thread.start()
    while not upstream.requests:
        leave.wait(0.01)
    upstream.set("*")

    def work():
        in_flight = [target["in_flight"] for target in ai.health()["targets"]]
        return [in_flight, *asked(ai)]

    try:
        assert fork(work)() == [[0, 0, 0], "success", "full"]
        assert ai.health()["targets"][0]["in_flight"] == 1
    finally:
        leave.set()
        thread.join()
        asyncio.run(ai.aclose())


async def _ask_until(ai, leave):
    request = asyncio.create_task(ai.ask("Hello?"))
    await asyncio.to_thread(leave.wait)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)


def test_saved_answers_are_each_process_its_own_to_open(upstream, tmp_path):
    ai = Failsoft(settings(upstream, data_dir=str(tmp_path), cache=CacheSettings(semantic=False)))

    def work():
        return [
            asked(ai)[1],
            [(store.name, store.up, store.problem) for store in ai._runtime.stores],
        ]

    before = fork(work)
    assert before() == ["full", [["cache", True, ""]]]
    assert asked(ai)[1] == "full"
    upstream.set("*", faults=["529"])
    level, ((name, up, problem),) = fork(work)()
    assert (level, name, up) == ("minimal", "cache", False)
    assert "before the fork; make a new Failsoft" in problem
    assert asked(ai) == ("success", "cached")
    asyncio.run(ai.aclose())


def test_processes_do_not_wait_in_step(upstream):
    """The same jitter in each would have all of them come back at the same moment."""
    ai = Failsoft(settings(upstream))
    drawn = [fork(ai._runtime.rng.random)() for _ in range(3)]
    assert len(set(drawn)) == 3


def test_locks_that_another_thread_held_are_free_in_the_child(upstream):
    ai = Failsoft(settings(upstream))
    breaker = ai._runtime.guards.of(ai._runtime.chain[0]).breaker
    with breaker._lock, ai._runtime.route("chat").retries._lock:
        child = fork(lambda: asked(ai))
    assert child() == ["success", "full"]


def test_calls_under_way_in_the_parent_do_not_hold_back_a_childs_breaker():
    """Failures are weighed against undecided calls; the parent's would stay so for ever."""
    breaker = Breaker(BreakerSettings(failure_span_seconds=0))
    for _ in range(50):
        breaker.allow(1.0, lease_seconds=9)
    breaker.forked()
    for _ in range(10):
        breaker.done(breaker.allow(2.0, lease_seconds=9), Outcome.FAILURE, 2.0)
    assert breaker.state is CircuitState.OPEN


def test_a_probe_under_way_in_the_parent_does_not_hold_back_a_childs():
    """Its result will be told to the parent alone; a child would wait for the end of the lease."""
    breaker = Breaker(BreakerSettings())
    breaker.trip(1.0, "host down")
    assert isinstance(breaker.allow(2.0, lease_seconds=125), Ticket)
    breaker.forked()
    assert isinstance(breaker.allow(2.1, lease_seconds=9), Ticket)
    bench = Bench("account a", RetrySettings(park_seconds=1), ramp_seconds=0, rng=Random(1))
    bench.park(1.0, verdict_for("billing"))
    assert isinstance(bench.admit(3.0, lease_seconds=125), Lease)
    bench.forked()
    assert isinstance(bench.admit(3.1, lease_seconds=9), Lease)


def test_a_lease_that_the_parent_was_granted_is_not_the_childs():
    world = World(MemoryStore, processes=1, rules=ADAPTIVE)
    process, breaker = world.processes[0], world.processes[0].breaker(TARGETS[0])
    granted = Granted(breaker.seen_generation, "lease", process.now() + 9.0)
    for part in (breaker, process.benches()[hold_key("account a")]):
        part._waiting.put(granted, granted.generation)
        part.forked()
        assert not part._waiting.usable(process.now())
    world.close()


def test_only_who_is_still_there_is_told_of_a_fork():
    class Heard:
        times = 0

        def forked(self):
            Heard.times += 1

    heard = Heard()
    in_every_child(heard.forked)
    assert fork(lambda: Heard.times)() == 1
    del heard
    gc.collect()
    assert fork(lambda: Heard.times)() == 0
    assert Heard.times == 0
