"""``failsoft demo``: the first two minutes of somebody who has just unpacked this."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cli_command import Running, running

LAST_WORDS_OF_THE_WELCOME = "as it happens:\n"


class Demo:
    """One that runs, and its hints."""

    def __init__(self, process: Running, welcome: str) -> None:
        self.process = process
        self.welcome = welcome
        self.commands = re.findall(r"^  (curl .*)$", welcome, re.MULTILINE)
        self.page = re.findall(r"^  (http://.*/)$", welcome, re.MULTILINE)[0]

    async def hurry(self) -> None:
        """Take away the model that is slow on purpose."""
        simulator = re.findall(r"http://[\d.:]+/_sim/", self.welcome)[0]
        await curl(f"curl -X PUT {simulator}models/claude-sonnet-5-5 -d '{{\"faults\": []}}'")


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    # A proxy that is not there: the simulator is not to be asked for through it.
    environ = {"http_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    async with running("demo", "--port", "0", cwd=tmp_path, environ=environ) as process:
        welcome = await process.until(rf"(?s)(.*{LAST_WORDS_OF_THE_WELCOME})")
        yield Demo(process, welcome)


async def curl(command: str) -> str:
    """What the command would print; for the few options that the hints use."""
    program, *words = shlex.split(command)
    assert program == "curl"
    method, url, headers, body = "GET", "", {}, None
    for word in (rest := iter(words)):
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                body = next(rest)
                method = "POST" if method == "GET" else method
            case "-s" | "-sN":
                pass
            case _:
                assert not word.startswith("-")
                url = word
    headers.setdefault("content-type", "application/x-www-form-urlencoded")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=body) as reply,
    ):
        assert reply.status == 200
        return await reply.text()


async def test_every_hint_works_and_ctrl_c_ends_it(demo):
    answer, stream, twice, health, *breaking = demo.commands
    assert json.loads(await curl(answer))["status"] == "success"
    events = re.findall(r"^data: (.*)$", await curl(stream), re.MULTILINE)
    assert json.loads(events[0])["type"] == "start"
    assert json.loads(events[-2])["type"] == "done"
    assert events[-1] == "[DONE]"
    assert await curl(twice) == await curl(twice)
    assert json.loads(await curl(health))["status"] == "ok"
    assert len(breaking) == 3
    for command in breaking:
        assert "faults" in json.loads(await curl(command))
    async with aiohttp.ClientSession() as session, session.get(demo.page) as reply:
        assert reply.status == 200
        assert reply.content_type == "text/html"
    ended = await demo.process.stop(signal.SIGINT)
    assert (ended.code, ended.err) == (0, "")


async def test_nobody_notices_the_brownout(demo):
    ask = demo.commands[0]
    await demo.hurry()
    answers = [json.loads(text) for text in await asyncio.gather(*(curl(ask) for _ in range(30)))]
    assert {answer["status"] for answer in answers} == {"success"}
    ended = await demo.process.stop(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")
    told = ended.out.partition(LAST_WORDS_OF_THE_WELCOME)[2]
    assert "claude-opus-5-5 failed after" in told
    assert "it is overloaded (transient)" in told
    assert "went on to claude-sonnet-5-5" in told
    assert len(re.findall(r"answered in .* by claude-\w+-5-5, \d attempt", told)) == 30


async def test_an_outage_ends_in_a_notice_and_sigterm_ends_an_open_stream(demo):
    _, stream, *_, all_down, _ = demo.commands
    stream = stream.replace("What documents do I need for a home loan?", "What is a bridge loan?")
    await demo.hurry()
    await curl(all_down)
    events = re.findall(r"^data: (\{.*)$", await curl(stream), re.MULTILINE)
    last = json.loads(events[-1])
    assert last["type"] == "error"
    assert last["action"] == "retry"
    assert "529" not in last["user_message"]
    await demo.process.until("failed after .*; the person got a notice")

    await curl(all_down.replace("529;", "hang;"))
    address = stream.split()[2]
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, json={"message": "What?"}) as reply,
    ):
        await reply.content.readline()
        ended = await demo.process.stop(signal.SIGTERM)
    assert (ended.code, ended.err) == (0, "")


async def test_an_outage_leaves_the_prepared_answers(demo):
    ask, *_, all_down, _ = demo.commands
    await demo.hurry()
    await curl(all_down)
    answer = json.loads(await curl(ask))
    assert (answer["status"], answer["level"]) == ("success", "rule")


async def test_a_playground_that_is_open_does_not_hold_up_the_end(demo):
    base = demo.page.removesuffix("/")
    assert f"  {base}/playground\n" in demo.welcome
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{base}/playground/events") as reply,
    ):
        await reply.content.readline()
        ended = await demo.process.stop(signal.SIGTERM)
        assert (await reply.content.read()).endswith(b"data: [DONE]\n\n")
    assert (ended.code, ended.err) == (0, "")


async def test_with_a_key_nothing_is_simulated(environ, tmp_path):
    async with running("demo", "--port", "0", cwd=tmp_path, environ=environ) as process:
        welcome = await process.until(rf"(?s)(.*{LAST_WORDS_OF_THE_WELCOME})")
        command = re.findall(r"^  (curl .*)$", welcome, re.MULTILINE)[0]
        assert json.loads(await curl(command))["status"] == "success"
        ended = await process.stop(signal.SIGTERM)
    assert "An API key is set" in welcome
    assert "_sim" not in welcome
    assert ended.code == 0
