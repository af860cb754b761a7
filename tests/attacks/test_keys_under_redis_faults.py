"""A key sent three times while Redis fails in one of nine ways: one call, or the reply says so."""

import asyncio
import contextlib
from functools import partial

import pytest
from redis.asyncio import Redis
from redis_server import needs_redis, redis_server
from server_kit import FakeProvider, assistant, call

from failsoft.chaos.tcp_proxy import FaultProxy
from failsoft.request_log.redis_log import RedisLog
from failsoft.server import create_app
from failsoft.storage.times import StoreTimes

pytestmark = needs_redis
KEY = {"idempotency-key": "k"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    impatient = StoreTimes(retry=0.05, dead=10.0)
    monkeypatch.setattr("failsoft.server.app.RedisLog", partial(RedisLog, times=impatient))


class Trouble:
    """A Redis behind a proxy, and what can be done to both."""

    def __init__(self, server, proxy, admin):
        self.server, self.proxy, self.admin = server, proxy, admin

    async def kill(self):
        self.server.kill()

    async def start(self):
        await asyncio.to_thread(self.server.start)

    async def freeze(self):
        self.server.freeze()

    async def thaw(self):
        self.server.thaw()

    def asks(self, *words):
        return lambda: self.admin.execute_command(*words)

    def harms(self, act):
        return lambda: self.proxy.set(act)


@pytest.fixture
async def trouble(tmp_path):
    with redis_server(tmp_path) as server:
        default = Redis.from_url(server.url)
        await default.execute_command("ACL", "SETUSER", "admin", "on", ">a", "~*", "&*", "+@all")
        await default.aclose()
        admin = Redis.from_url(server.url.replace("//", "//admin:a@"))
        async with FaultProxy(server.url.replace("redis:", "http:")) as proxy:
            yield Trouble(server, proxy, admin)
        await admin.aclose()


FAULTS = {
    "killed": lambda at: (at.kill, at.start),
    "frozen": lambda at: (at.freeze, at.thaw),
    "full": lambda at: (
        at.asks("CONFIG", "SET", "maxmemory", "1"),
        at.asks("CONFIG", "SET", "maxmemory", "0"),
    ),
    "a replica": lambda at: (
        at.asks("REPLICAOF", "127.0.0.1", str(at.server.port)),  # of itself: it never syncs
        at.asks("REPLICAOF", "NO", "ONE"),
    ),
    "emptied": lambda at: (at.asks("FLUSHALL"), at.asks("PING")),
    "rights withdrawn": lambda at: (
        at.asks("ACL", "SETUSER", "default", "-@all"),
        at.asks("ACL", "SETUSER", "default", "+@all"),
    ),
    "slow": lambda at: (at.harms("delay;ms=300"), at.harms("pass")),
    "cut in a reply": lambda at: (at.harms("cut;bytes=20"), at.harms("pass")),
    "replies lost": lambda at: (at.harms("half_open"), at.harms("pass")),
}


async def send(app, path):
    return await call(app, path, {"message": "Do I pay twice?"}, headers=KEY)


async def log_of(app):
    return (await call(app, "/api/health/ai", method="GET")).json["stores"][0]


async def until_back(app):
    async with asyncio.timeout(30):
        while not (log := await log_of(app))["up"] or "held" in log:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def serving(trouble):
    provider = FakeProvider(("Once.", " And no more."))
    url = f"redis://127.0.0.1:{trouble.proxy.url.rpartition(':')[2]}/0"
    ai = assistant(provider, redis_url=url)
    try:
        yield create_app(ai), provider
    finally:
        await ai.aclose(drain_seconds=0)


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_key_is_run_once_and_unprotected_replies_say_so(fault, path, trouble):
    begin, end = fault(trouble)
    async with serving(trouble) as (app, provider):
        assert (await log_of(app))["up"]
        await begin()
        replies = [await send(app, path) for _ in range(3)]
        await end()
        await until_back(app)
        again = await send(app, path)
    assert {reply.status for reply in (*replies, again)} == {200}
    assert len({reply.body for reply in (*replies, again)}) == 1
    assert len(provider.calls) == 1
    said = {reply.headers.get("idempotency-status") for reply in replies}
    assert said == ({None} if fault is FAULTS["emptied"] else {"unprotected"})
    assert "idempotency-status" not in again.headers
