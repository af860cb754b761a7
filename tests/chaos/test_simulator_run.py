"""Running it: in a test, as a coroutine, until a signal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from pathlib import Path

import aiohttp
import pytest

from failsoft.chaos.simulator import Simulator, serve_simulator
from failsoft.errors import SettingError

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello you"}]}
HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


async def status(url: str, model: str) -> int:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        return (await session.post(f"{url}/v1/messages", json={**BODY, "model": model})).status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_what_it_was_told_until_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[step]]\nat = 0\nmodel = "a"\nfaults = ["503"]\n')
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve_simulator(port=0, seed=3, script=script, faults=["b=529"], on_ready=ready.set_result)
    )
    url = await ready
    assert url.startswith("http://127.0.0.1:")
    assert [await status(url, model) for model in "abc"] == [503, 529, 200]
    os.kill(os.getpid(), number)
    async with asyncio.timeout(5):
        await running
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(url, "c")


async def test_it_stops_when_it_is_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve_simulator(port=0, on_ready=ready.set_result))
    url = await ready
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(aiohttp.ClientConnectorError):
        await status(url, "m")


async def test_a_wrong_fault_or_script_is_told_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--fault 'm=nope': 'nope' is no fault"):
        await serve_simulator(port=0, faults=["m=nope"], on_ready=pytest.fail)
    with pytest.raises(SettingError, match="cannot be read"):
        await serve_simulator(port=0, script=tmp_path / "gone", on_ready=pytest.fail)


async def test_a_port_in_use_is_an_error_and_leaves_nothing_behind() -> None:
    async with Simulator() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="Address already in use"):
            await Simulator(port=port).__aenter__()


async def test_it_listens_on_loopback_only_unless_told_otherwise() -> None:
    async with Simulator() as sim:
        assert sim.url.startswith("http://127.0.0.1:")
    async with Simulator(host="::1") as sim:
        assert await status(sim.url, "m") == 200


async def test_many_at_once_each_get_their_own_whole_answer() -> None:
    async with (
        Simulator(faults=["m=529@0.2"]) as sim,
        aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):

        async def one(n: int) -> tuple[int, bytes]:
            messages = [{"role": "user", "content": f"Question {n}"}]
            body = {**BODY, "messages": messages, "stream": True}
            async with session.post(f"{sim.url}/v1/messages", json=body) as reply:
                return reply.status, await reply.read()

        replies = await asyncio.gather(*(one(n) for n in range(200)))
    for n, (code, body) in enumerate(replies):
        assert code in {200, 529}
        assert code == 529 or body.endswith(b'data: {"type":"message_stop"}\n\n'), n
    assert sorted(request.number or 0 for request in sim.requests) == list(range(1, 201))
    assert {request.outcome for request in sim.requests} == {"completed"}


@pytest.mark.parametrize("turns", range(6))
async def test_what_connects_as_it_ends_is_not_leaked(turns):
    """A socket that is left to the collector is an error of whatever test runs then."""
    simulator = await Simulator().__aenter__()
    host, port = simulator.url.removeprefix("http://").split(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(20)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await simulator.__aexit__(None, None, None)
    for client in clients:
        client.close()
    gc.collect()
