"""``failsoft demo``: the first two minutes of somebody who has just unpacked this."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli_command import READY, Running, run, running
from redis_server import needs_redis, redis_server

from failsoft.cli.demo import whole_providers

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
        await self.heal("claude-sonnet-5-5")

    async def heal(self, model: str) -> None:
        """Take away what goes wrong with it."""
        simulator = re.findall(r"http://[\d.:]+/_sim/", self.welcome)[0]
        await curl(f"curl -X PUT '{simulator}models/{model}' -d '{{\"faults\": []}}'")


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
    offering = f"{answer} -H 'connection: Upgrade' -H 'upgrade: h2c'"  # as curl --http2 does
    assert json.loads(await curl(offering))["status"] == "success"
    events = re.findall(r"^data: (.*)$", await curl(stream), re.MULTILINE)
    assert json.loads(events[0])["type"] == "start"
    assert json.loads(events[-2])["type"] == "done"
    assert events[-1] == "[DONE]"
    assert await curl(twice) == await curl(twice)
    assert json.loads(await curl(health))["status"] == "ok"
    assert len(breaking) == 5
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


async def test_where_one_provider_is_down_the_other_answers(demo):
    ask, first_down = demo.commands[0], demo.commands[5]
    assert "/claude-*'" in first_down
    await demo.hurry()
    await demo.heal("*")
    await curl(first_down)
    answers = [json.loads(await curl(ask.replace("home", f"{n}th"))) for n in range(6)]
    assert {(answer["status"], answer["level"]) for answer in answers} == {("success", "full")}
    ended = await demo.process.stop(signal.SIGTERM)
    told = ended.out.partition(LAST_WORDS_OF_THE_WELCOME)[2]
    assert len(re.findall(r"answered in .* by gpt-5\.5", told)) == 6
    assert "the models of anthropic and openai" in demo.welcome


async def test_a_chain_of_ones_own_is_played_too(tmp_path):
    environ = {"FAILSOFT_CHAIN": "groq/llama-4-maverick,anthropic/claude-opus-5-5"}
    async with running("demo", "--port", "0", cwd=tmp_path, environ=environ) as process:
        demo = Demo(process, await process.until(rf"(?s)(.*{LAST_WORDS_OF_THE_WELCOME})"))
        assert json.loads(await curl(demo.commands[0]))["status"] == "success"
        assert "Take the whole of groq down" in demo.welcome
        assert "/llama-*'" in demo.welcome


@pytest.mark.parametrize(
    ("chain", "names"),
    [
        (
            ("anthropic/claude-opus-5-5", "openai/gpt-5.5", "anthropic/claude-haiku-5-5"),
            {"anthropic": "claude-*", "openai": "gpt-*"},
        ),
        (("openai/gpt-5.5", "azure/gpt-5.5", "xai/grok-5"), {"xai": "grok-*"}),
        (("openai/gpt-5.5", "openai/o5"), {}),
        (("together/meta/llama-4", "mine/model"), {"together": "meta/llama-*", "mine": "model*"}),
    ],
)
def test_a_provider_has_one_name_for_all_its_models_and_no_others(chain, names):
    assert whole_providers(chain) == names


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


# Redis


async def told_of_redis(base: str, *, off: bool | None = None) -> dict[str, Any]:
    async with aiohttp.ClientSession(base) as session:
        if off is not None:
            async with session.put("/playground/redis", json={"off": off}) as reply:
                assert reply.status == 200
        async with session.get("/playground/setup") as reply:
            return (await reply.json())["redis"]


async def until_healthy(base: str, *, store_up: bool, status: str) -> None:
    """Wait for both: each of the stores in one Redis finds out by itself."""
    async with aiohttp.ClientSession(base) as session, asyncio.timeout(20):
        while True:
            async with session.get("/api/health/ai") as reply:
                health = await reply.json()
            (store,) = (one for one in health["stores"] if one["name"] == "shared_state")
            if store["up"] is store_up and health["status"] == status:
                return
            await asyncio.sleep(0.02)


async def goes_off_and_comes_back(demo: Demo) -> None:
    base = demo.page.removesuffix("/")
    assert await told_of_redis(base) == {"off": False, "problem": ""}
    await until_healthy(base, store_up=True, status="ok")
    await told_of_redis(base, off=True)
    await until_healthy(base, store_up=False, status="degraded")
    assert json.loads(await curl(demo.commands[0]))["status"] == "success"
    await told_of_redis(base, off=False)
    await until_healthy(base, store_up=True, status="ok")
    await demo.process.until("store out of reach: shared_state(?s:.*)store back: shared_state")


@needs_redis
async def test_it_has_a_redis_of_its_own(demo):
    await demo.hurry()
    await goes_off_and_comes_back(demo)


@needs_redis
@pytest.mark.parametrize(
    "end",
    [
        signal.SIGINT,
        signal.SIGHUP,
        pytest.param(
            signal.SIGKILL,
            marks=pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux"),
        ),
    ],
)
async def test_its_redis_ends_with_it(demo, end):
    (own,) = children(demo.process.process.pid)
    ended = await demo.process.stop(end)
    assert (ended.code, ended.err) == (-signal.SIGKILL if end == signal.SIGKILL else 0, "")
    await until_gone(own)


@needs_redis
async def test_a_window_closed_before_the_welcome_leaves_nothing_behind(tmp_path):
    async with running("demo", "--port", "0", cwd=tmp_path) as process:
        async with asyncio.timeout(READY):
            while not (found := children(process.process.pid)):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        ended = await process.stop(signal.SIGHUP)
    assert (ended.code, ended.err) == (0, "")
    await until_gone(*found)


@needs_redis
async def test_the_log_stays_on_disk_where_the_redis_keeps_nothing(demo, tmp_path):
    answer = json.loads(await curl(demo.commands[0]))
    await demo.process.stop(signal.SIGTERM)
    explained = await run("explain", answer["request_id"], cwd=tmp_path)
    assert (explained.code, explained.err) == (0, "")
    assert answer["request_id"] in explained.out


@needs_redis
async def test_a_redis_of_the_settings_is_cut_off_too_and_left_alone(tmp_path):
    with redis_server(tmp_path) as redis:
        environ = {"FAILSOFT_REDIS_URL": redis.url}
        async with running("demo", "--port", "0", cwd=tmp_path, environ=environ) as process:
            welcome = await process.until(rf"(?s)(.*{LAST_WORDS_OF_THE_WELCOME})")
            demo = Demo(process, welcome)
            await demo.hurry()
            await goes_off_and_comes_back(demo)
            assert children(process.process.pid) == []
            ended = await process.stop(signal.SIGTERM)
            assert ended.code == 0
            assert "request_log_down" in ended.err  # the log is in it, too
        redis.forget()  # it still answers


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"PATH": "/nowhere"}, "redis-server is not installed"),
        ({"FAILSOFT_REDIS_URL": "rediss://127.0.0.1:9/0"}, "only an address with redis://"),
    ],
)
async def test_where_there_is_none_it_says_why(tmp_path, environ, why):
    async with running("demo", "--port", "0", cwd=tmp_path, environ=environ) as process:
        welcome = await process.until(rf"(?s)(.*{LAST_WORDS_OF_THE_WELCOME})")
        base = Demo(process, welcome).page.removesuffix("/")
        assert why in (await told_of_redis(base))["problem"]


async def until_gone(*pids: str) -> None:
    async with asyncio.timeout(10):
        while any(exists(pid) for pid in pids):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)


def exists(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
