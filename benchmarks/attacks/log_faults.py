"""Redis and the disk fail under a service's request log while it is asked with keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from benchmarks.attacks.service import Row, Service, mark, serving
from benchmarks.crowd import LocalRedis, local_redis
from failsoft.chaos.simulator import Simulator
from failsoft.chaos.tcp_proxy import FaultProxy

__all__ = ["DISK_FAULTS", "Reply", "ask", "disk_faults", "not_tried", "redis_faults", "until_up"]

KEYS, TIMES, STREAMS = 10, 3, 5
BACK_SECONDS = 30.0
SLOW = "*=latency;first_content_ms=20;between_events_ms=20"
ADMIN = "AUTH admin admin\r\n"
DEAD_PORT = 9  # discard: nothing listens there
PRELOAD = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"
NO_SPACE, IO_ERROR, TOO_MANY_FILES = 28, 5, 24
DISK_FAULTS = {
    "a full disk (ENOSPC on pwrite)": f"enable name=posix/io/rw/pwrite,failinfo={NO_SPACE}",
    "EIO on pwrite": f"enable name=posix/io/rw/pwrite,failinfo={IO_ERROR}",
    "EIO on every fifth pwrite, by chance": (
        f"enable_random name=posix/io/rw/pwrite,failinfo={IO_ERROR},probability=0.2"
    ),
    "short writes": "enable name=posix/io/rw/pwrite/reduce",
    "EIO on pread": f"enable name=posix/io/rw/pread,failinfo={IO_ERROR}",
    "EIO on fsync and fdatasync": f"enable name=posix/io/sync/*,failinfo={IO_ERROR}",
    "EIO on ftruncate": f"enable name=posix/io/rw/ftruncate,failinfo={IO_ERROR}",
    "no file can be opened (EMFILE)": f"enable name=posix/io/oc/open,failinfo={TOO_MANY_FILES}",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What one keyed request was told."""

    status: int
    unprotected: bool
    body: bytes


@dataclass(slots=True)
class Outcome:
    """What became of the keys that were sent while something was broken, and of open streams."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    back_seconds: float = 0.0

    @property
    def lost(self) -> list[str]:
        """Keys that were refused, or done twice although a reply promised that they are not."""
        return [key for key in self.replies if not self._kept(key)]

    def _kept(self, key: str) -> bool:
        replies = self.replies[key]
        promised = not all(reply.unprotected for reply in replies[:TIMES])
        return {reply.status for reply in replies} == {200} and (
            self.calls[key] == 1 or not promised
        )

    @property
    def good(self) -> bool:
        """Whether every promise was kept, every stream ended whole, and the log came back."""
        whole = all(end == "done" for end in self.streams)
        return not self.lost and whole and self.back_seconds < BACK_SECONDS

    def __str__(self) -> str:
        replies = [reply for each in self.replies.values() for reply in each]
        answered = sum(reply.status == 200 for reply in replies)
        unprotected = sum(reply.unprotected for reply in replies)
        done = self.streams.count("done")
        return (
            f"{answered} of {len(replies)} answered by {sum(self.calls.values())} calls, "
            f"{unprotected} said `unprotected`, {done} of {len(self.streams)} streams whole, "
            f"log back after {self.back_seconds:.0f} s"
        )


async def ask(http: aiohttp.ClientSession, service: Service, key: str) -> Reply:
    """Ask a question that has the key's name."""
    async with http.post(
        f"{service.url}/api/chat", json={"message": key}, headers={"idempotency-key": key}
    ) as reply:
        unprotected = reply.headers.get("idempotency-status") == "unprotected"
        return Reply(reply.status, unprotected, await reply.read())


async def until_up(http: aiohttp.ClientSession, service: Service) -> float:
    """Seconds until the log works and everything that was held is written, at most 30."""
    began = time.monotonic()
    while time.monotonic() - began < BACK_SECONDS:
        async with http.get(f"{service.url}/api/health/ai") as reply:
            log = (await reply.json())["stores"][0]
        if log["up"] and "held" not in log:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def redis_faults() -> AsyncIterator[Row]:
    """Nine faults of Redis, one after another, under one service."""
    if shutil.which("redis-server") is None:
        yield not_tried("Redis", "redis-server")
        return
    with local_redis() as redis:
        redis.ask("ACL SETUSER admin on >admin ~* &* +@all")
        async with FaultProxy(f"http://127.0.0.1:{redis.port}") as proxy:
            address = f"redis://127.0.0.1:{proxy.url.rpartition(':')[2]}/0"
            async with serving(SLOW, FAILSOFT_REDIS_URL=address) as (service, simulator):
                for name, (begin, end) in _redis_faults(redis, proxy).items():
                    outcome = await _trouble(service, simulator, name, begin, end)
                    yield _row(f"Redis: {name}", outcome)


Act = Callable[[], Awaitable[object]]


def _redis_faults(redis: LocalRedis, proxy: FaultProxy) -> Mapping[str, tuple[Act, Act]]:
    def asks(*commands: str) -> Act:
        return lambda: asyncio.to_thread(lambda: [redis.ask(command) for command in commands])

    def runs(work: Callable[[], object]) -> Act:
        return lambda: asyncio.to_thread(work)

    def harms(act: str) -> tuple[Act, Act]:
        return (lambda: proxy.set(act), lambda: proxy.set("pass"))

    return {
        "killed, started again empty": (runs(redis.kill), runs(redis.start)),
        "frozen": (runs(redis.freeze), runs(redis.thaw)),
        "full (maxmemory)": (
            asks("CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"),
            asks("CONFIG SET maxmemory 0"),
        ),
        "a read-only replica": (
            asks(f"REPLICAOF 127.0.0.1 {DEAD_PORT}"),
            asks("REPLICAOF NO ONE"),
        ),
        "emptied (FLUSHALL)": (asks("FLUSHALL"), asks("PING")),
        "its user's rights withdrawn": (
            asks("ACL SETUSER admin on >admin ~* &* +@all", "ACL SETUSER default -@all"),
            asks(f"{ADMIN}ACL SETUSER default +@all"),
        ),
        "slow (300 ms each way)": harms("delay;ms=300"),
        "cut in the middle of a reply": harms("cut;bytes=40"),
        "replies lost, requests carried out": harms("half_open"),
    }


async def disk_faults(faults: Mapping[str, str] = DISK_FAULTS) -> AsyncIterator[Row]:
    """Faults of the disk under SQLite, one after another, by libfiu; its command for each."""
    if shutil.which("fiu-ctrl") is None:
        yield not_tried("the disk of SQLite", "fiu-utils")
        return
    with tempfile.TemporaryDirectory(prefix="failsoft-fiu-") as folder:
        prefix = f"{folder}/ctrl"
        environ = {"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": prefix}
        async with serving(SLOW, **environ) as (service, simulator):
            for name, fault in faults.items():
                begin = _after_writes(service, _control(prefix, service, fault))
                point = fault.partition("name=")[2].partition(",")[0]
                end = _control(prefix, service, f"disable name={point}")
                outcome = await _trouble(service, simulator, name, begin, end)
                yield _row(f"the disk of SQLite: {name}", outcome)


def _after_writes(service: Service, fault: Act) -> Act:
    """Fill the write-ahead log first: the file is read again, and a checkpoint is due."""

    def write() -> None:
        path = service.folder / "requests.db"
        with contextlib.closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as file:
            file.execute("PRAGMA wal_autocheckpoint = 0")
            file.execute("CREATE TABLE scratch (data)")
            file.execute("INSERT INTO scratch VALUES (zeroblob(8000000))")
            file.execute("DROP TABLE scratch")

    async def begin() -> None:
        await asyncio.to_thread(write)
        await fault()

    return begin


def _control(prefix: str, service: Service, command: str) -> Act:
    async def send() -> None:
        said = await asyncio.create_subprocess_exec(
            *("fiu-ctrl", "-f", prefix, "-c", command, str(service.pid)),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            out, _ = await said.communicate()
        if out:
            raise RuntimeError(out.decode())

    return send


async def _trouble(
    service: Service, simulator: Simulator, name: str, begin: Act, end: Act
) -> Outcome:
    """Ask with keys, three times each, between ``begin`` and ``end``, and once more afterwards."""
    outcome = Outcome()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await until_up(http, service)
        streams = [await _open_stream(http, service, f"{name}, stream {n}") for n in range(STREAMS)]
        await begin()

        async def send(key: str) -> None:
            outcome.replies[key] = [await ask(http, service, key) for _ in range(TIMES)]

        await asyncio.gather(*(send(f"{name}, key {n}") for n in range(KEYS)))
        outcome.streams = list(await asyncio.gather(*streams))
        await end()
        outcome.back_seconds = await until_up(http, service)
        for key, replies in outcome.replies.items():
            replies.append(await ask(http, service, key))
    asked = [record.prompt_start for record in simulator.requests]
    outcome.calls = {key: asked.count(key) for key in outcome.replies}
    return outcome


async def _open_stream(
    http: aiohttp.ClientSession, service: Service, key: str
) -> asyncio.Task[str]:
    """A stream with a key that has begun; the task gives the type of its last event."""
    reply = await http.post(
        f"{service.url}/api/chat/stream", json={"message": key}, headers={"idempotency-key": key}
    )
    await reply.content.readuntil(b"\n\n")
    return asyncio.create_task(_last(reply))


async def _last(reply: aiohttp.ClientResponse) -> str:
    with contextlib.suppress(aiohttp.ClientError):
        async with reply:
            lines = (await reply.read()).decode().split("\n")
        events = [line[6:] for line in lines if line.startswith("data: {")]
        return str(json.loads(events[-1])["type"])
    return "broken"


def not_tried(what: str, package: str) -> Row:
    """The row of what needs a package of Debian's that is not installed."""
    return what, "never", f"not tried: install Debian's {package}", mark(good=False)


def _row(what: str, outcome: Outcome) -> Row:
    often = f"{KEYS} keys {TIMES} times and once more, {STREAMS} streams"
    return what, often, str(outcome), mark(outcome.good)
