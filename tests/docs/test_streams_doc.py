"""docs/streams.md says what happens: its commands are run, its figures and tables compared."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from failsoft import Settings
from failsoft.chaos.simulator import Simulator
from failsoft.server.openapi import (
    describe_cancel,
    describe_request,
    describe_resume,
    describe_stream,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "streams.md").read_text(encoding="utf-8")
SESSION = re.findall(r"<!-- session -->\n```sh\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
EVENT_SOURCE, READER = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
FAILSOFT = Path(sys.executable).with_name("failsoft")
SERVING = re.compile(r"serving at (http://127\.0\.0\.1:\d+)")
ANY = "…"
TEXT = {"type": "text", "text": ANY}

# Fields whose values are words, or differ from one request to the next.
WORDS = {
    *("request_id", "reference", "created_at", "updated_at"),
    *("text", "response", "title", "body", "user_message", "primary_action_label"),
    *("actions", "suggested_actions", "detail", "problem"),
}


def table(*heading: str) -> list[list[str]]:
    """The cells of the table that begins so, without its heading."""
    _, found, rest = PAGE.partition(f"\n| {' | '.join(heading)} |")
    assert found, heading
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@asynccontextmanager
async def serving(upstream: str, folder: Path) -> AsyncIterator[str]:
    """``failsoft serve`` as a process of its own; its address."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FAILSOFT_", "ANTHROPIC_")) and "proxy" not in name.lower()
    }
    environ = kept | {"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "any"}
    process = await asyncio.create_subprocess_exec(
        FAILSOFT, "serve", "--port", "0", stdout=DEVNULL, stderr=PIPE, cwd=folder, env=environ
    )
    assert process.stderr is not None
    try:
        said = ""
        async with asyncio.timeout(60):
            while not (found := SERVING.search(said)):
                line = await process.stderr.readline()
                assert line, said
                said += line.decode()
        yield found[1]
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are curl's")
async def test_the_commands_print_what_is_shown(tmp_path):
    assert PAGE.count("```sh") == len(SESSION) > 5
    async with Simulator() as simulator, serving(simulator.url, tmp_path) as url:
        script = "\necho '<next>'\n".join(commands for commands, _ in SESSION)
        script = script.replace("http://127.0.0.1:8787", url)
        script = script.replace("http://127.0.0.1:8788", simulator.url)
        bash = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script, stdout=PIPE, cwd=tmp_path
        )
        out, _ = await bash.communicate()
    assert bash.returncode == 0
    printed = out.decode().replace("\r", "").split("<next>\n")
    for (commands, shown), real in zip(SESSION, printed, strict=True):
        differ = difference(shown, real)
        assert differ is None, f"{commands}\n{differ}"


def difference(shown: str, real: str) -> str | None:
    """Where what is printed has not the shape shown, in which `…` stands for more text events.

    Of the headers of a reply only those that matter are shown.
    """
    wanted, found = blocks(shown), blocks(real)
    if shown.startswith("HTTP/"):
        missing = [line for line in wanted[0] if line not in found[0]]
        return f"not there: {missing}" if missing else None
    for block, following in zip(wanted, [*wanted[1:], None], strict=True):
        if block == [ANY]:
            while found and found[0] != following and found[0][:-1] == [TEXT]:
                found.pop(0)
        elif not found or found.pop(0) != block:
            return f"not there: {block}"
    return f"not shown: {found}" if found else None


def blocks(text: str) -> list[list[Any]]:
    return [[shape(line) for line in block.splitlines()] for block in text.strip().split("\n\n")]


def shape(line: str) -> Any:
    """A line without what differs from one request to the next, and without words."""
    name, colon, value = line.partition(": ")
    if line.startswith("{") or (name == "data" and value.startswith("{")):
        return wordless(json.loads(line if line.startswith("{") else value))
    return f"{name}: {ANY}" if colon and name == "x-request-id" else line


def wordless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: ANY if name in WORDS else wordless(each) for name, each in value.items()}
    return [wordless(each) for each in value] if isinstance(value, list) else value


def test_the_events_are_those_of_the_schema():
    described = describe_stream({"parameters": []})["description"]
    described = described.partition("|---|---|\n")[2].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in described if line]
    assert rows[-1][0] == "`stream_interrupted`, `error`"
    *same, (_, failed) = rows
    like = "the fields of `stream_interrupted`, with 0 tokens and characters"
    shown = [["`stream_interrupted`", failed], ["`error`", like]]
    assert table("type", "fields") == [*same, *shown]


def test_the_limits_are_the_settings():
    for name, default, _ in table("limit", "default", "meaning"):
        value = reduce(getattr, name.strip("`").split("."), Settings())
        assert float(default) == value, name


def test_every_status_of_the_routes_is_there():
    written = {code for row in table("status", "when", "do") for code in row[0].split(", ")}
    known = {
        str(status)
        for described in (
            describe_stream({"parameters": []}),
            describe_resume(),
            describe_request(),
            describe_cancel(),
        )
        for status in described["responses"]
    }
    assert written == known - {"200"}


@pytest.mark.skipif(shutil.which("node") is None, reason="the reader is JavaScript")
async def test_the_reader_shown_gets_all_of_an_answer_over_a_connection_that_breaks(tmp_path):
    use = """
        const body = JSON.stringify({ message: "What does a payslip prove?" });
        for await (const event of answer(body, "payslip-1", process.argv[2]))
            console.log(JSON.stringify(event));
    """
    (tmp_path / "reader.mjs").write_text(READER + use, encoding="utf-8")
    async with (
        Simulator() as simulator,
        serving(simulator.url, tmp_path) as url,
        breaking(url, after=900) as (near, connections),
    ):
        node = await asyncio.create_subprocess_exec(
            "node", tmp_path / "reader.mjs", near, stdout=PIPE, cwd=tmp_path
        )
        out, _ = await node.communicate()
    assert node.returncode == 0
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds == ["start", *["text"] * (len(events) - 2), "done"]
    assert events[-1]["tokens"] == len(events) - 2
    assert len(connections) > 1
    assert len(simulator.requests) == 1


@pytest.mark.skipif(shutil.which("node") is None, reason="the page is JavaScript")
async def test_an_event_source_that_is_closed_at_the_end_hears_of_no_error(tmp_path):
    use = """
        const [, , base] = process.argv;
        const Browsers = EventSource;
        globalThis.EventSource = class extends Browsers {
            constructor(path) { super(base + path); }
        };
        const headers = { "content-type": "application/json", "idempotency-key": "payslip-1" };
        const body = JSON.stringify({ message: "What does a payslip prove?" });
        const asked = await fetch(`${base}/api/chat/stream`, { method: "POST", headers, body });
        await asked.text();
        const id = asked.headers.get("x-request-id");
        const source = follow(id, (event) => console.log(event.type));
        source.addEventListener("error", () => console.log("error"));
    """
    (tmp_path / "page.mjs").write_text(EVENT_SOURCE + use, encoding="utf-8")
    async with Simulator() as simulator, serving(simulator.url, tmp_path) as url:
        node = await asyncio.create_subprocess_exec(
            *("node", "--experimental-eventsource", tmp_path / "page.mjs", url),
            stdout=PIPE,
            stderr=DEVNULL,
        )
        async with asyncio.timeout(60):  # one that is not closed keeps its process
            out, _ = await node.communicate()
    first, *texts, last = out.decode().split()
    assert (node.returncode, first, {*texts}, last) == (0, "start", {"text"}, "done")


@asynccontextmanager
async def breaking(url: str, *, after: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A way to the service that breaks once, after so many bytes of its first reply."""
    host, _, port = url.removeprefix("http://").partition(":")
    connections: list[int] = []

    async def pass_on(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, limit: float
    ) -> None:
        while limit > 0 and (data := await source.read(int(min(limit, 65536)))):
            limit -= len(data)
            sink.write(data)
            await sink.drain()

    async def connected(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        limit = math.inf if connections else after
        connections.append(1)
        far, on = await asyncio.open_connection(host, int(port))
        ways = [
            asyncio.create_task(pass_on(near, on, math.inf)),
            asyncio.create_task(pass_on(far, back, limit)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (back, on):
            end.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname()), connections
