"""The Lua scripts against their Python reference: the same replies and pushes, whatever comes."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from led_operations import OPERATIONS, operation
from redis_server import needs_redis, redis_server

from failsoft.state.memory import MemoryStore
from failsoft.state.redis import script

pytestmark = needs_redis

CLOCK = "the clock"
START = 1_763_900_000_000
OWN_TIME = "local time = redis.call('TIME')"
TOLD_TIME = f"local at = tonumber(redis.call('GET', '{CLOCK}'))\nlocal time = {{math.floor(at / 1000), at % 1000 * 1000}}"


class Lua:
    """The scripts as they are shipped, but for the clock."""

    def __init__(self, url):
        self._client = redis.Redis.from_url(url)
        self._scripts = {}
        for kind in ("breaker", "hold"):
            shipped = script(kind)
            assert OWN_TIME in shipped
            self._scripts[kind] = self._client.register_script(shipped.replace(OWN_TIME, TOLD_TIME))
        self._pushed = self._client.pubsub(ignore_subscribe_messages=True)
        self._pushed.subscribe("changes", "end")

    def begin(self):
        self._client.flushall()
        self.pushes()

    def set(self, now):
        self._client.set(CLOCK, now)

    def do(self, operation):
        told = self._scripts[operation.kind](
            keys=[operation.key], args=["changes", operation.name, *operation.arguments]
        )
        return json.loads(told)

    def pushes(self):
        self._client.publish("end", "")
        found = []
        while True:
            message = self._pushed.get_message(timeout=30)
            if message is None:
                continue
            if message["channel"] == b"end":
                return found
            found.append(json.loads(message["data"]))


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
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
