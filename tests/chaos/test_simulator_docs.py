"""The documentation names exactly what the code knows, and its examples work."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import aiohttp

from failsoft.chaos.simulator import Simulator, serve_simulator
from failsoft.chaos.simulator.control import PUT_FIELDS
from failsoft.chaos.simulator.journal import JournalRecord
from failsoft.chaos.simulator.script import STEP_KEYS, parse_faults, parse_steps
from failsoft.faults.fault_grammar import (
    KINDS,
    OPTIONS,
    parse_assignment,
    parse_fault,
    write_number,
)

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, heading
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return found


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shown(key: str, default: Any) -> str:
    if default in (None, ()):
        return f"`{key}`"
    return f"`{key}` = {write_number(default) if isinstance(default, float) else default}"


def test_every_fault_is_documented_with_its_options_and_defaults() -> None:
    documented = {}
    for line in PAGE.partition("\n| fault |")[2].partition("\n\n")[0].splitlines()[2:]:
        name, options, doc = (cell.strip() for cell in line.strip("|").split("|"))
        documented[name] = (options, doc)
    assert documented == {
        f"`{name}`": (", ".join(shown(*option) for option in kind.options.items()), kind.doc)
        for name, kind in KINDS.items()
    }


def test_every_option_is_documented() -> None:
    assert dict(table("option")) == {f"`{name}`": option.doc for name, option in OPTIONS.items()}


def test_every_flag_is_documented() -> None:
    flags = {name.removeprefix("--") for row in table("flag") for name in names(row[0])}
    parameters = set(inspect.signature(serve_simulator).parameters) - {"on_ready"}
    assert flags == {"fault" if name == "faults" else name for name in parameters}


def test_every_key_and_field_is_documented() -> None:
    assert [names(row[0])[0] for row in table("key of a step")] == list(STEP_KEYS)
    assert [names(row[0])[0] for row in table("field of a PUT")] == list(PUT_FIELDS)
    noted = {name for row in table("field of a request") for name in names(row[0])}
    moments = {"arrived_at", "first_byte_at", "ended_at"}
    assert noted == {field.name for field in fields(JournalRecord)} | moments


def test_the_faults_shown_can_be_read() -> None:
    _grammar, examples = blocks("text")
    for line in examples.splitlines():
        parse_fault(line)


def test_the_scripts_shown_can_be_read() -> None:
    for block in blocks("toml"):
        assert len(parse_steps(tomllib.loads(block), where="docs")) == 4


def test_the_commands_shown_hold_good_faults_and_bodies() -> None:
    console = shlex.split(" ".join(blocks("console")))
    flags = [console[n + 1] for n, word in enumerate(console) if word == "--fault"]
    assert len(flags) == 2
    for flag in flags:
        parse_assignment(flag)
    bodies = [shlex.split(line)[-1] for line in blocks("sh")[0].splitlines()]
    assert len(bodies) == 4
    for body in bodies:
        read = json.loads(body)
        assert set(read) <= set(PUT_FIELDS)
        assert parse_faults(read["faults"], where="docs")


async def test_the_codes_of_chat_completions_are_those_that_it_sends() -> None:
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}
    lines = PAGE.partition("\n| fault | status | `error.code` |\n")[2].partition("\n\n")[0]
    _, *rows = lines.splitlines()
    assert len(rows) == 13
    headers = {"authorization": "Bearer k"}
    async with Simulator() as sim, aiohttp.ClientSession(sim.url, headers=headers) as session:
        for row in rows:
            fault, *promised = (cell.strip(" `") for cell in row.strip("|").split("|"))
            sim.set("gpt-*", faults=[fault])
            reply = await session.post("/v1/chat/completions", json=body)
            sent = [str(reply.status), (await reply.json())["error"]["code"]]
            assert sent == promised, fault


async def test_the_test_shown_passes() -> None:
    for block in blocks("python"):
        shown: dict[str, Any] = {}
        exec(compile(block, "docs/simulator.md", "exec"), shown)  # noqa: S102 - our own page
        for name in [name for name in shown if name.startswith("test_")]:
            await shown[name]()
