"""docs/simulate.md says what happens: its commands are run, its tables compared."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from test_streams_doc import difference, serving

from failsoft.chaos.simulator import Simulator
from failsoft.classify import classify
from failsoft.classify.wire_errors import WireFailure
from failsoft.faults.simulation import AT_ONCE, IN_STREAM, TYPICAL

PAGE = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
SESSION = re.findall(r"<!-- session -->\n```sh\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def table(*heading: str) -> str:
    _, found, rest = PAGE.partition(f"\n| {' | '.join(heading)} |\n{'|---' * len(heading)}|\n")
    assert found, heading
    return rest.partition("\n\n")[0]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are curl's")
async def test_the_commands_print_what_is_shown(tmp_path):
    assert PAGE.count("<!-- session -->") == len(SESSION) == 3
    (tmp_path / "failsoft.toml").write_text('env = "dev"\n', encoding="utf-8")
    async with Simulator() as simulator, serving(simulator.url, tmp_path) as url:
        for commands, shown in SESSION:
            script = commands.replace("http://127.0.0.1:8787", url)
            bash = await asyncio.create_subprocess_exec("bash", "-euc", script, stdout=PIPE)
            out, _ = await bash.communicate()
            differ = difference(shown, out.decode())
            assert differ is None, f"{commands}\n{differ}"


async def test_the_example_prints_what_is_shown(tmp_path):
    ((program, shown),) = PYTHON
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    async with Simulator() as simulator:
        python = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            stdout=PIPE,
            cwd=tmp_path,
            env=kept | {"ANTHROPIC_BASE_URL": simulator.url, "ANTHROPIC_API_KEY": "any"},
        )
        out, _ = await python.communicate()
    assert out.decode() == shown


def test_the_categories_are_those_that_are_read():
    rows = [f"| `{category}` | `{reason}` |" for category, reason in TYPICAL.items()]
    assert table("category", "reason") == "\n".join(rows)


def test_the_reasons_are_those_that_are_made():
    assert table("reason", "category", "in place of a reply", "with `after=`") == "\n".join(
        f"| `{reason}` | {category_of(reason)} | {told(AT_ONCE[reason]())} "
        f"| {told(IN_STREAM[reason]()) if reason in IN_STREAM else 'never'} |"
        for reason in AT_ONCE
    )


def category_of(reason: str) -> str:
    return str(classify(AT_ONCE[reason](), provider="anthropic", now=0.0).category)


def told(failure: Exception) -> str:
    """A failure in a few words."""
    name = type(failure).__name__
    if not isinstance(failure, WireFailure):
        return f"`{name}`"
    if not isinstance(failure.body, dict) or "error" not in failure.body:
        detail = failure.detail.removesuffix(" (simulated)")
        return f"`{name}`: {detail.partition(' fired')[0]}"
    error = failure.body["error"]
    kind = error.get("details", error).get("error_code", error["type"])
    what = "event" if failure.status == 200 else failure.status
    return f"{what} `{kind}`"
