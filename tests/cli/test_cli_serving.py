"""``failsoft simulator`` and ``failsoft serve`` as processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from io import FileIO, TextIOWrapper

import aiohttp
import pytest
from cli_command import FAILSOFT, READY, environment, running

from failsoft.cli.serve_command import _ready
from failsoft.cli.terminal import tell

URL = r"(http://127\.0\.0\.1:\d+)"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_the_simulator_does_as_its_flags_say(stop, tmp_path):
    flags = ("--port", "0", "--fault", "claude-opus-5-5=529", "--fault", "*=401")
    async with running("simulator", *flags, cwd=tmp_path) as simulator:
        url = await simulator.until(URL)
        async with aiohttp.ClientSession(url) as session, session.get("/_sim/models") as reply:
            models = (await reply.json())["models"]
        ended = await simulator.stop(stop)
    assert models == {"claude-opus-5-5": {"faults": ["529"]}, "*": {"faults": ["401"]}}
    assert (ended.code, ended.err) == (0, "")
    assert f"ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=any failsoft ask 'Hello'" in ended.out


async def test_the_service_answers_and_ends_when_told(environ, tmp_path):
    async with running("serve", "--port", "0", cwd=tmp_path, environ=environ) as serving:
        url = await serving.until(rf"serving at {URL}", "stderr")
        question = {"message": "Hello"}
        async with (
            aiohttp.ClientSession(url) as session,
            session.post("/api/chat", json=question) as reply,
        ):
            body = await reply.json()
        ended = await serving.stop(signal.SIGTERM)
    assert body["status"] == "success"
    assert ended.code == 0
    assert "Traceback" not in ended.err


async def test_a_service_without_a_key_says_so(tmp_path):
    async with running("serve", "--port", "0", cwd=tmp_path) as serving:
        await serving.until(r"no API key: .*\n.*serving at", "stderr")
        ended = await serving.stop(signal.SIGTERM)
    assert ended.code == 0


@pytest.mark.parametrize("sink", ["full disk", "closed pipe"])
def test_what_cannot_be_printed_stops_no_service(sink, monkeypatch):
    raw = _unwritable(sink)
    try:
        stream = TextIOWrapper(raw, write_through=True)
        monkeypatch.setattr(sys, "stderr", stream)
        _ready("http://127.0.0.1:8787")
        tell("no API key")
    finally:
        monkeypatch.undo()
        raw.close()


def _unwritable(sink):
    if sink == "full disk":
        return FileIO("/dev/full", "w")
    reader, writer = os.pipe()
    os.close(reader)
    return FileIO(writer, "w")


async def test_a_service_without_standard_streams_writes_to_no_file_of_its_own(tmp_path):
    """A number that is free is taken by the next file that is opened, and written to as a log."""
    command = 'exec "$0" config check <&- >&- 2>&-'
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, FAILSOFT, cwd=tmp_path, env=environment(ANTHROPIC_API_KEY="any")
    )
    async with asyncio.timeout(READY):
        assert await process.wait() == 0
