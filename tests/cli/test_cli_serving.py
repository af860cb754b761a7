"""``failsoft simulator`` and ``failsoft serve`` as processes."""

from __future__ import annotations

import signal

import aiohttp
import pytest
from cli_command import running

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
