"""A parent that is killed takes its workers along: the port is free for the next one."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import pytest

URL = re.compile(r"serving at http://127\.0\.0\.1:(\d+)\s")
FAILSOFT = Path(sys.executable).with_name("failsoft")


async def serving(folder, port):
    """The service on that port, once it says so: its port and the process."""
    said = folder / f"said-{port}"
    with said.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(FAILSOFT, "serve", "--port", str(port), "--workers", "2"),
            cwd=folder,
            env=os.environ | {"ANTHROPIC_API_KEY": "any"},
            stderr=log,
        )
    await until(lambda: URL.search(said.read_text()) or process.returncode is not None)
    found = URL.search(said.read_text())
    assert found, said.read_text()
    return int(found[1]), process


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def running(pid):
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


async def until(true):
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
async def test_it_can_be_started_again_at_once(tmp_path):
    port, process = await serving(tmp_path, 0)
    workers = []
    try:
        await until(lambda: len(children(process.pid)) >= 2)
        workers = children(process.pid)
        process.kill()
        await process.wait()
        await until(lambda: not any(map(running, workers)))
        again, process = await serving(tmp_path, port)
        assert again == port
    finally:
        for pid in (*workers, *(children(process.pid) if process.returncode is None else ())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        async with asyncio.timeout(10):
            await process.wait()
