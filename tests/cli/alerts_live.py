"""A Prometheus of its own, a receiver of webhooks, and people who ask all the time."""

import asyncio
import contextlib
import itertools
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from failsoft.chaos.simulator import Simulator

PROMETHEUS = shutil.which("prometheus")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.asynccontextmanager
async def prometheus(rules: str, scraped: str, folder: Path) -> AsyncIterator[str]:
    """Scraping and judging once a second; gives its address."""
    (folder / "alerts.yml").write_text(rules)
    jobs = [{"job_name": "failsoft", "static_configs": [{"targets": [scraped]}]}]
    every_second = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": every_second, "rule_files": ["alerts.yml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        str(PROMETHEUS),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
        cwd=folder,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def firing(session: aiohttp.ClientSession, address: str) -> set[str]:
    """The names of the alerts that Prometheus says fire; none while it starts."""
    try:
        async with session.get(f"{address}/api/v1/alerts") as reply:
            alerts = (await reply.json())["data"]["alerts"]
    except (aiohttp.ClientError, KeyError):
        return set()
    return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


async def until_firing(
    session: aiohttp.ClientSession, address: str, *, has: set[str], lacks: set[str] = frozenset()
) -> None:
    while not (has <= (now := await firing(session, address)) and not lacks & now):  # noqa: ASYNC110 - it says so only when asked
        await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Trouble:
    """What a service meets, and which alerts that is; ``log_blocked`` is a store that is down."""

    alerts: frozenset[str]
    faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    path: str = "/api/chat"
    log_blocked: bool = False

    def begin(self, simulator: Simulator, folder: Path) -> None:
        for model, faults in self.faults.items():
            simulator.set(model, faults=list(faults))
        if self.log_blocked:
            (folder / ".failsoft" / "requests.db").mkdir(parents=True)

    def end(self, simulator: Simulator, folder: Path) -> None:
        simulator.set("*")
        if self.log_blocked:
            (folder / ".failsoft" / "requests.db").rmdir()


def _all(*faults: str) -> dict[str, tuple[str, ...]]:
    return {"*": faults}


SHORT = {"FAILSOFT_DEADLINE_SECONDS": "1"}
TROUBLES = {
    "the account's limit": Trouble(
        alerts=frozenset({"FailsoftRateLimited"}), faults=_all("429;retry_after=2"), environ=SHORT
    ),
    "the first model is down": Trouble(
        alerts=frozenset({"FailsoftFallback"}), faults={"claude-opus-5-5": ("529",)}
    ),
    "nothing is answered in time": Trouble(
        alerts=frozenset({"FailsoftTimeouts"}),
        faults=_all("hang"),
        environ=SHORT,
    ),
    "answers break off": Trouble(
        alerts=frozenset({"FailsoftInterruptedStreams"}),
        faults=_all("cut@0.2;after=3"),
        path="/api/chat/stream",
    ),
    "the log cannot be written": Trouble(alerts=frozenset({"FailsoftStoreDown"}), log_blocked=True),
    "a dead key": Trouble(alerts=frozenset({"FailsoftAuthOrBilling"}), faults=_all("bad_key")),
}


class Receiver:
    """What was posted, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[dict[str, object]] = []
        self._more = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        async with self._more:
            self.got.append(json.loads(await request.read()))
            self._more.notify_all()
        return web.Response()

    async def until(self, alert: str, status: str) -> None:
        async with self._more:
            await self._more.wait_for(
                lambda: any((one["alert"], one["status"]) == (alert, status) for one in self.got)
            )


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def people(
    session: aiohttp.ClientSession, url: str, *, a_second: float = 20, path: str = "/api/chat"
) -> AsyncIterator[None]:
    """Somebody asks so many times a second, whatever became of the question before."""

    async def ask(number: int) -> None:
        question = {"message": f"What is {number} and {number}?"}
        async with session.post(f"{url}{path}", json=question) as reply:
            await reply.read()

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as asking:
            for number in itertools.count():
                asking.create_task(ask(number))
                await asyncio.sleep(1 / a_second)

    task = asyncio.create_task(all_of_them())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
