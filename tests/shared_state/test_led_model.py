"""Processes over bad links: whatever is lost, late or cut off, they come to be of one mind."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from led_world import ADAPTIVE, RULES, SETTINGS, TARGETS, World
from lua_store import Both, Lua
from memory_store import MemoryStore
from redis_server import needs_redis, redis_server

from failsoft.policy.breaker import CircuitState
from failsoft.shared_state.outbox import breaker_key

pytestmark = pytest.mark.hypothesis

PLACES = st.integers(0, 2)
CALLERS = st.sampled_from([None, "a", "b"])
TARGET = st.sampled_from(TARGETS)
FAILURES = ["overloaded", "upstream", "connection", "cut", "cancelled", None]
# The longest park, what a dead process leaves leased, two probes, and a slow start.
WELL_AGAIN_SECONDS = SETTINGS.retry.park_max_seconds + 3 * 3.0 + 6.0


class Led(RuleBasedStateMachine):
    store = staticmethod(MemoryStore)

    @initialize(rules=st.sampled_from([RULES, ADAPTIVE]))
    def begin(self, rules):
        self.world = World(self.store, rules=rules)
        self.isolated = {}
        self.promised = {}
        self.late = set()

    @rule(
        place=PLACES,
        to=TARGET,
        reason=st.sampled_from(FAILURES),
        who=CALLERS,
        count=st.integers(1, 6),
    )
    def calls(self, place, to, reason, who, count):
        process = self.world.processes[place]
        for _ in range(count):
            self.world.do(process.call(to, reason, who))
            self.world.wait(0.1)

    @rule(place=PLACES, to=TARGET, reason=st.sampled_from([None, "overloaded"]))
    def burst(self, place, to, reason):
        process = self.world.processes[place]
        for _ in range(12):
            self.world.do(process.call(to, reason))
        self.world.wait(0.3)
        self.world.do(process.call(to, reason))

    @rule(place=PLACES, to=TARGET, who=CALLERS)
    def begin_a_call(self, place, to, who):
        process = self.world.processes[place]
        permit = self.world.do(process.admit(to, who))
        if permit is not None:
            process.permits.append(permit)

    @rule(place=PLACES, reason=st.sampled_from(FAILURES))
    def end_a_call(self, place, reason):
        process = self.world.processes[place]
        if process.permits:
            process.finish(process.permits.pop(0), reason)

    @rule(place=PLACES, to=TARGET, seconds=st.sampled_from([0.0, 0.001, 0.1]))
    def leave_while_asking(self, place, to, seconds):
        process = self.world.processes[place]
        asking = self.world.loop.create_task(process.admit(to))
        self.world.wait(seconds)
        if asking.done() and asking.result() is not None:
            process.permits.append(asking.result())
        asking.cancel()

    @rule(place=PLACES, to=TARGET, seconds=st.sampled_from([0.3, 2.0, 5.0, 30.0]))
    def rate_limit(self, place, to, seconds):
        process = self.world.processes[place]
        permit = self.world.do(process.call(to, "requests", wait_seconds=seconds))
        if permit is not None:
            until = self.world.loop.time() + min(seconds, SETTINGS.retry.bench_max_seconds)
            key = f"family a/{to.family}"
            self.promised[place, key] = max(until, self.promised.get((place, key), 0.0))

    @rule(place=PLACES, to=TARGET, reason=st.sampled_from(["billing", "model_unavailable"]))
    def park(self, place, to, reason):
        self.world.do(self.world.processes[place].call(to, reason))

    @rule(place=PLACES, to=TARGET, act=st.sampled_from(["isolate", "restore"]))
    def by_hand(self, place, to, act):
        process = self.world.processes[place]
        getattr(process.breaker(to), act)()
        assert process.breaker(to)._isolated == (act == "isolate")
        link = process.link
        sure = not (link.cut or link.lose_requests or link.lose_replies)
        sure = sure and process.leading.switch.leads
        self.world.wait(0.05 if sure else 0.0)
        # What could not be told at once is told later, and the last word counts.
        if not sure:
            self.late.add(to)
        self.isolated[to] = act if to not in self.late else None

    @rule(place=PLACES, cut=st.booleans())
    def cut_off(self, place, cut):
        self.world.processes[place].link.cut = cut

    @rule(place=PLACES, pushes=st.sampled_from(["fine", "dropped", "late", "doubled"]))
    def push(self, place, pushes):
        self.world.processes[place].link.pushes = pushes

    @rule(place=PLACES, count=st.integers(1, 2), what=st.sampled_from(["requests", "replies"]))
    def lose(self, place, count, what):
        setattr(self.world.processes[place].link, f"lose_{what}", count)

    @rule()
    def restart_empty(self):
        # Who has not heard yet that one was restored goes on believing that it is isolated.
        for target in TARGETS:
            told = {process.breaker(target)._isolated for process in self.world.processes}
            if len(told) > 1:
                self.isolated[target] = None
        self.world.store.clear()

    @rule(place=PLACES)
    def restart_a_process(self, place):
        self.world.start_another(place)
        self.promised = {of: until for of, until in self.promised.items() if of[0] != place}
        self.world.wait(0.1)

    @rule(seconds=st.sampled_from([0.02, 0.3, 1.1, 2.5, 7.0]))
    def pass_time(self, seconds):
        self.world.wait(seconds)

    @rule(by=st.sampled_from([-40, 30, -90_000]))
    def set_the_clock(self, by):
        self.world.ahead_ms += by

    @rule()
    def come_to_one_mind(self):
        self.world.quiet()
        self.late.clear()
        assert self.world.apart() == []
        now = self.world.loop.time()
        for (_, scope), until in self.promised.items():
            for process in self.world.processes:
                left = process.benches()[f"hold:{scope}"].until - process.now()
                assert left > until - now - 0.7 or until < now, "a bench was shortened"
        for target, act in self.isolated.items():
            if act is not None:
                for process in self.world.processes:
                    assert process.breaker(target)._isolated == (act == "isolate"), target

    @invariant()
    def one_probe_at_a_time(self):
        if not hasattr(self, "world"):
            return
        now = self.world.clock_ms()
        for kept in self.world.kept().values():
            assert sum(ends > now for ends in kept.leases.values()) <= 1
        led = [p for p in self.world.processes if p.leading.switch.leads]
        for target in TARGETS:
            probes = [
                ticket
                for process in led
                for ticket in process.breaker(target)._leases
                if ticket.lease is not None and ticket.expires_at > process.now() + 0.1
            ]
            live = self.world.kept().get(breaker_key(target.id))
            mine = [t for t in probes if live is not None and t.lease in live.leases]
            assert len(mine) <= 1

    @invariant()
    def nobody_forgets_to_go_on(self):
        if hasattr(self, "world"):
            assert not any(process.task.done() for process in self.world.processes)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        world = self.world
        try:
            world.quiet()
            assert world.apart() == []
            for target in TARGETS:
                world.processes[0].breaker(target).restore()
            until = world.loop.time() + WELL_AGAIN_SECONDS
            while world.loop.time() < until:
                for process in world.processes:
                    for target in TARGETS:
                        world.do(process.call(target))
                world.wait(0.25)
            for process in world.processes:
                for target in TARGETS:
                    assert process.breaker(target).state is CircuitState.CLOSED
                    assert process.guards.peek(target, process.now()) is None
                    assert world.do(process.call(target)) is not None
            assert world.apart() == []
        finally:
            world.close()


def check(machine, examples):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_processes_come_to_be_of_one_mind():
    check(Led, 25)


@needs_redis
def test_processes_come_to_be_of_one_mind_by_the_scripts_too():
    folder = Path(tempfile.mkdtemp())
    with redis_server(folder) as server:
        lua = Lua(server.url)

        class OverRedis(Led):
            store = staticmethod(lambda clock: Both(clock, lua))

        check(OverRedis, 6)
    shutil.rmtree(folder)
