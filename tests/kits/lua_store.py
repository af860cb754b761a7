"""The Lua scripts in a real Redis whose clock is a number."""

import json

import redis
from memory_store import MemoryStore

from failsoft.shared_state.redis_store import script

CLOCK = "the clock"
OWN_TIME = "local time = redis.call('TIME')"
TOLD_TIME = f"""local at = tonumber(redis.call('GET', '{CLOCK}'))
local time = {{math.floor(at / 1000), at % 1000 * 1000}}"""


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


class Both(MemoryStore):
    """The store in memory, and beside it the scripts; ``apart`` is where they are not the same."""

    def __init__(self, clock, lua):
        super().__init__(clock)
        self._time, self._lua = clock, lua
        self._told = []
        self._listeners.append(self._told.append)
        self.apart = []
        lua.begin()

    async def run(self, operations):
        replies = []
        for operation in operations:
            self._lua.set(self._time())
            replies.append(self._do(operation))
            told = self._lua.do(operation)
            if told != replies[-1]:
                self.apart.append((operation, told, replies[-1]))
        if (pushed := self._lua.pushes()) != self._told:
            self.apart.append((operations, pushed, list(self._told)))
        self._told.clear()
        return replies

    def clear(self):
        super().clear()
        self._lua.begin()
