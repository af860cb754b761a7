"""The Lua scripts against their Python reference: the same replies and pushes, whatever comes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from led_operations import OPERATIONS, operation
from lua_store import Lua
from memory_store import MemoryStore
from redis_server import needs_redis, redis_server

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


def machine(lua):
    class Same(RuleBasedStateMachine):
        @initialize()
        def begin(self):
            lua.begin()
            lua.set(START)
            self.memory = Memory()
            self.generations = {0}
            self.births = {}

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
                told = lua.do(step)
                assert told == self.memory.do(step), step
                self.generations.add(told["generation"])
                self.births[each[1]] = told["born"]
            assert lua.pushes() == self.memory.pushes()

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
