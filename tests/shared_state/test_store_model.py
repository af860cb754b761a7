"""The Lua scripts against their Python reference: the same replies and pushes, whatever comes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from led_operations import COUNTS, KEYS, OPERATIONS, operation
from lua_store import Lua
from memory_store import MemoryStore
from redis_server import needs_redis, redis_server

from failsoft.shared_state.store import Operation

pytestmark = [needs_redis, pytest.mark.hypothesis]

START = 1_763_900_000_000


class Memory:
    def __init__(self):
        self.now = START
        self.store = MemoryStore(lambda: self.now)
        self.told = []
        self.store._listeners.append(self.told.append)

    def do(self, operation):
        return self.store._do(operation)

    def pushes(self):
        told, self.told[:] = list(self.told), []
        return told


def check_trial(do, key, needed, batches):
    """Close it by a probe and count ``batches``, each a number and what it has."""

    def step(name, *arguments):
        return do(Operation("breaker", key, name, arguments))

    told = step("sync", 0, 0, 0, "closed", 0, 0, "")
    told = step("open", told["generation"], 0, "failures in a row", "", 0)
    step("lease", told["generation"], "l", 300, 1)
    told = step("probe", "l", "success", needed, 0, "", 0)
    left = needed - 1
    for sequence, (calls, failures, before) in batches:
        counted = (calls, failures, 0, failures, 0, 0, 300, 4, before, failures)
        counts = step("record", "p", sequence, told["generation"], *counted)["counts"]
        if told["reason"] == "probe succeeded: on trial":
            assert counts["on_trial"] == (failures > 0 and left > before)
            left -= 0 if counts["on_trial"] else min(left, calls)


def machine(lua):
    class Same(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            lua.begin()
            lua.set(START)
            self.memory = Memory()
            self.generations = {0}
            self.births = {}
            self.sequence = 100

        @rule(by=st.sampled_from([1, 20, 150, 1000, 6000, 31_000, 601_000, -5, -700]))
        def pass_time(self, by):
            self.memory.now += by
            lua.set(self.memory.now)

        @rule()
        def lose_everything(self):
            lua.begin()
            lua.set(self.memory.now)
            self.memory.store.clear()

        @rule(drawn=st.lists(OPERATIONS, min_size=1, max_size=4))
        def do(self, drawn):
            for each in drawn:
                known = sorted(self.generations)
                generations = [0, *[known[0]] * 3, *known, known[-1] + 1]
                step = operation(each, generations, [START - 1, self.births.get(each[1], 0)])
                self.both(step)
            assert lua.pushes() == self.memory.pushes()

        @rule(
            key=st.sampled_from(KEYS["breaker"]),
            needed=st.integers(1, 3),
            counted=st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=4),
        )
        def close_on_trial(self, key, needed, counted):
            """Probed well, then counted: calls and failures, and what went well before those."""

            sequences = range(self.sequence, self.sequence + len(counted))
            self.sequence = sequences.stop
            check_trial(self.both, key, needed, zip(sequences, counted, strict=True))
            assert lua.pushes() == self.memory.pushes()

        def both(self, step):
            told = lua.do(step)
            assert told == self.memory.do(step), step
            self.generations.add(told["generation"])
            self.births[step.key] = told["born"]
            return told

    return Same


@pytest.fixture(scope="module")
def lua():
    folder = Path(tempfile.mkdtemp())
    with redis_server(folder) as server:
        yield Lua(server.url)
    shutil.rmtree(folder)


def test_the_scripts_do_what_the_reference_does(lua):
    run_state_machine_as_test(
        machine(lua),
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
