"""``failsoft cluster``: real servers behind a real HAProxy, restarted and killed under load."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli_command import Running, running

PATH = f"{os.environ['PATH']}:/usr/sbin"
MISSING = [name for name in ("haproxy", "redis-server") if shutil.which(name, path=PATH) is None]
HAPROXY_FILE = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
STEADY = "latency;first_content_ms=100;between_events_ms=20"
RATE = 20
SERVER_KILLED = r"server-\d was ended by SIGKILL: the others go on"

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed (on Debian: apt-get install {' '.join(MISSING)})"
)


@dataclass
class Cluster:
    process: Running
    session: aiohttp.ClientSession
    url: str
    simulator: str

    async def behave(self, fault: str) -> None:
        place = f"{self.simulator}/_sim/models/*"
        async with self.session.put(place, json={"faults": [fault]}) as reply:
            assert reply.ok

    async def upstream_calls(self) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.simulator}/_sim/requests") as reply:
            journal = await reply.json()
        assert not journal["dropped"]
        return journal["requests"]

    async def calls(self, number: int) -> None:
        """Wait until so many are in flight."""
        while await self.open_calls() != number:  # noqa: ASYNC110 - it says so only when asked
            await asyncio.sleep(0.02)

    async def open_calls(self) -> int:
        """How many are in flight."""
        return [one["outcome"] for one in await self.upstream_calls()].count("open")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    environ = {"TMPDIR": str(tmp_path)}
    command = ("cluster", "--port", "0", "--haproxy", str(HAPROXY_FILE))
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        running(*command, cwd=tmp_path, environ=environ) as process,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        welcome = await process.until(r"(?s)(.*as it happens:\n)")
        url = re.findall(r"^  (http://.*)/$", welcome, re.MULTILINE)[0]
        simulator = re.findall(r"(http://[\d.:]+)/_sim/", welcome)[0]
        cluster = Cluster(process, session, url, simulator)
        await cluster.behave(STEADY)
        children = children_of(process.process.pid)
        yield cluster
        if process.process.returncode is None:
            ended = await process.stop(signal.SIGTERM)
            assert (ended.code, ended.err) == (0, "")
        assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110, ASYNC240 - of memory
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - or it is taken for blocking


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pid_of(cluster: Cluster, word: str) -> int:
    """The first of the cluster's processes that has the word in its command."""
    children = children_of(cluster.process.process.pid)
    return next(pid for pid in children if word in Path(f"/proc/{pid}/cmdline").read_text())


async def kill(pid: int) -> None:
    """End it by force; until its last thread has ended its socket may still take a connection."""
    os.kill(pid, signal.SIGKILL)
    while not has_ended(pid):  # noqa: ASYNC110 - the kernel tells its parent alone
        await asyncio.sleep(0.01)


def has_ended(pid: int) -> bool:
    """A process is a zombie as soon as its first thread is; the others hold what is open."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - of memory
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state.startswith("Z") and threads == [str(pid)]


async def ask(cluster: Cluster, number: int, *, key: bool = True) -> str:
    """One person; what became of it."""
    stream = number % 2 == 1
    place = f"{cluster.url}/api/chat{'/stream' * stream}"
    headers = {"idempotency-key": f"one-intent-{number}"} if key else {}
    body = {"message": f"What is {number} and {number}?"}
    try:
        async with cluster.session.post(place, json=body, headers=headers) as reply:
            text = await reply.text()
    except aiohttp.ClientError as error:
        return f"lost: {error!r}"
    if reply.status != 200:
        return f"{reply.status} by {reply.headers.get('x-served-by')}: {text[:200]}"
    if not stream:
        return json.loads(text)["level"]
    *_, last, end = re.findall(r"^data: (.*)$", text, re.MULTILINE)
    told = json.loads(last)
    return told["level"] if (told["type"], end) == ("done", "[DONE]") else f"cut: {told}"


async def load(cluster: Cluster, until: asyncio.Event) -> Counter[str]:
    """People who come and ask, so many a second; nobody waits for another."""
    people: list[asyncio.Task[str]] = []
    while not until.is_set():
        people.append(asyncio.create_task(ask(cluster, len(people))))
        await asyncio.sleep(1 / RATE)
    return Counter(await asyncio.gather(*people))


async def test_a_rolling_restart_under_load_loses_nothing(cluster):
    """And it brings back one that has died, of which nobody had heard yet when the load began."""
    await kill(pid_of(cluster, "\0serve\0"))
    over = asyncio.Event()
    asking = asyncio.create_task(load(cluster, over))
    await cluster.process.until(SERVER_KILLED)
    cluster.process.process.send_signal(signal.SIGUSR1)
    for name in ("server-1", "server-2", "server-3"):
        await cluster.process.until(f"{name} has been restarted and takes requests")
    over.set()
    became = await asking
    assert set(became) == {"full"}, became
    assert became.total() > RATE
    assert len(await cluster.upstream_calls()) == became.total()


async def test_what_dies_is_told_and_nothing_is_asked_twice(cluster):
    await cluster.behave("stall;after=3")
    body = {"message": "What?"}
    async with cluster.session.post(f"{cluster.url}/api/chat/stream", json=body) as reply:
        while b'"type":"text"' not in await reply.content.readline():
            pass  # words go out before the end, which never comes
    await cluster.calls(0)
    await cluster.behave("hang")
    waiting = [asyncio.create_task(ask(cluster, number, key=False)) for number in range(3)]
    await cluster.calls(3)
    os.kill(pid_of(cluster, "\0serve\0"), signal.SIGKILL)
    await cluster.process.until(SERVER_KILLED)
    # The balancer may have given it more than one of them; each is told or still under way.
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    while await cluster.open_calls() + sum(task.done() for task in waiting) != 3:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.05)
    others = [task for task in waiting if not task.done()]
    told = [task.result() for task in waiting if task.done()]
    assert told
    assert all(one[:4] in ("502 ", "lost") for one in told), told
    assert all('"title":"No answer this time"' in one for one in told if one[:4] == "502 "), told

    for other in others:  # they leave, and the servers hear of it
        other.cancel()
    await cluster.calls(0)
    assert len(await cluster.upstream_calls()) == 4

    os.kill(pid_of(cluster, "redis-server"), signal.SIGKILL)
    await cluster.process.until("redis-server was ended by SIGKILL: the servers go on")
    await cluster.behave(STEADY)
    assert await asyncio.gather(*(ask(cluster, number) for number in range(6, 26))) == ["full"] * 20

    os.kill(pid_of(cluster, "haproxy"), signal.SIGKILL)
    _, err = await cluster.process.process.communicate()
    assert cluster.process.process.returncode == 2
    assert err.decode() == (
        "failsoft: haproxy was ended by SIGKILL, so nobody is let in: everything is stopped\n"
    )
