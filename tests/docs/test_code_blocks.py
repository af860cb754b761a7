"""Every block of code in the pages does what it shows, or says above it why it cannot be run.

The blocks of a page are one story: in order, in one folder, with one set of names in Python, beside
one service and one simulator. ``<!-- file: NAME -->`` above a block has it written there first, and
``<!-- not run: WHY -->`` leaves it out. What is started below ``<!-- serve: NAME -->`` goes on
beside the page, on a port of its own, until something else of that name is started.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from doc_blocks import PAGES, ROOT, SHOWN, Block, blocks
from test_streams_doc import serving

from failsoft.chaos.drills.scenario_files import read_scenario
from failsoft.chaos.simulator.script import load_script
from failsoft.config.loading import load_settings
from failsoft.notices import Catalogue
from failsoft.testing import RunningSimulator

# Pages whose blocks have tests of their own, which look at what is printed too.
OF_ITS_OWN = {
    ("docs/streams.md", "sh"): "tests/docs/test_streams_doc.py",
    ("docs/simulate.md", "python"): "tests/docs/test_simulate_doc.py",
    ("docs/testing.md", "python"): "tests/docs/test_testing_doc.py",
    ("docs/simulator.md", "python"): "tests/chaos/test_simulator_docs.py",
    ("docs/rules.md", "python"): "tests/ladder/test_rules_doc.py",
}
RUN = {"python", "sh", "toml", "json", "yaml", "js", "promql"}
ALL = blocks()
BIN = Path(sys.executable).parent
PROGRAMS = ("curl", "jq", "openssl")
LIMIT_SECONDS = 240
RUNNING = re.compile(r"http://127\.0\.0\.1:\d+")


def of_its_own(block: Block) -> bool:
    return (block.page, block.language) in OF_ITS_OWN or block.mark == "session"


def mine(block: Block) -> bool:
    return block.language in RUN and block.mark != "not run" and not of_its_own(block)


def test_every_block_is_run_or_says_why_not():
    known = RUN | SHOWN
    unmarked = [b.at for b in ALL if b.language not in known and b.mark != "not run"]
    assert unmarked == [], "run it, or say above it <!-- not run: WHY -->"
    assert [b.at for b in ALL if b.mark == "not run" and len(b.said) < 10] == []
    assert all((ROOT / test).exists() for test in OF_ITS_OWN.values())
    assert {page for page, _ in OF_ITS_OWN} <= {b.page for b in ALL}


def test_those_that_are_not_run_are_few(capsys):
    left = [b for b in ALL if b.mark == "not run"]
    with capsys.disabled():
        print("\nnot run:", *(f"{b.at} ({b.said})" for b in left), sep="\n  ")  # noqa: T201 - said to whoever runs this
    assert len(left) <= len([b for b in ALL if b.language in RUN]) // 5


def lines(block: Block) -> list[str]:
    return [line for line in block.code.splitlines() if line and not line.startswith("#")]


QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|#.*""")


def test_no_shell_expands_what_is_meant_as_it_stands():
    """Unlike bash, zsh refuses a star or a bracket that fits no file."""
    shells = [b for b in ALL if b.language == "sh"]
    bare = {b.at: re.findall(r"\S*[*?\[]\S*", QUOTED.sub("", b.code)) for b in shells}
    assert {at: words for at, words in bare.items() if words} == {}
    texts = [*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.md"), *PAGES]
    loose = re.compile(r"pip install failsoft\[|curl [^'`\n]*http[^'`\s]*/\*")
    assert [file for file in texts if loose.search(file.read_text(encoding="utf-8"))] == []


PLAIN = [b for b in ALL if mine(b) and b.language in {"toml", "json", "yaml", "js"}]


@pytest.mark.parametrize("block", PLAIN, ids=lambda block: block.at)
def test_what_is_data_can_be_read(block, tmp_path):
    READERS[block.language](block, tmp_path)


def read_toml(block: Block, folder: Path) -> None:
    found, file = tomllib.loads(block.code), folder / "en.toml"
    file.write_text(block.code, encoding="utf-8")
    if "notices" in found or "durations" in found:
        file.rename(folder / ("de.toml" if "notices" in found else "ar.toml"))
        Catalogue.load(folder)
    elif "step" in found:
        (read_scenario if "name" in found else load_script)(file)
    else:
        load_settings(file, environ={})


def read_json(block: Block, _: Path) -> None:
    assert json.loads(block.code)


def read_yaml(block: Block, _: Path) -> None:
    assert yaml.safe_load(block.code)


def read_js(block: Block, folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: JavaScript is not parsed")
    (folder / "block.mjs").write_text(block.code, encoding="utf-8")
    subprocess.run([node, "--check", folder / "block.mjs"], check=True)  # noqa: S603 - the page's own


READERS = {"toml": read_toml, "json": read_json, "yaml": read_yaml, "js": read_js}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_expressions_are_those_of_prometheus(tmp_path):
    shown = [line for b in ALL if b.language == "promql" for line in lines(b)]
    assert len(shown) > 10
    rules = [{"record": f"shown:{number}", "expr": each} for number, each in enumerate(shown)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    promtool = subprocess.run(  # noqa: S603 - the pages' own
        ["promtool", "check", "rules", file],  # noqa: S607 - as it is installed
        capture_output=True,
        text=True,
        check=False,
    )
    assert promtool.returncode == 0, promtool.stderr


class Story:
    """What the blocks of a page share: names in Python, where things are, and what is served."""

    def __init__(self, names: dict[str, object], places: dict[str, str]) -> None:
        self.names = names
        self.places = places
        self._served: dict[str, asyncio.subprocess.Process] = {}

    async def serve(self, block: Block) -> None:
        """Start it on a free port; what was served by that name ends first."""
        await self._end(block.said)
        command, _, port = block.code.strip().rpartition(" --port ")
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {command} --port 0"),
            env=environment(self.places),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._served[block.said] = process
        assert process.stdout is not None
        said = ""
        while not (found := RUNNING.search(said)):
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        self.places[port] = found[0]

    async def end(self) -> None:
        """Stop all that is served."""
        for name in list(self._served):
            await self._end(name)

    async def _end(self, name: str) -> None:
        process = self._served.pop(name, None)
        if process is not None:
            process.terminate()
            await process.communicate()


def environment(places: dict[str, str]) -> dict[str, str]:
    return os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "FAILSOFT": places["8787"]}


STORIES = sorted({b.page for b in ALL if mine(b) and b.language in {"python", "sh"}})


@pytest.mark.parametrize("page", STORIES)
async def test_what_is_shown_runs(page, tmp_path, monkeypatch):
    story = [b for b in ALL if b.page == page]
    if any(mine(b) and b.language == "sh" for b in story):
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)}: not installed, and the page's commands need them")
    for name in [name for name in os.environ if name.startswith(("FAILSOFT_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "failsoft.toml").write_text('env = "dev"\n', encoding="utf-8")
    (tmp_path / "here").mkdir()
    with RunningSimulator() as simulator:
        for name, value in simulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.syspath_prepend(str(tmp_path / "here"))
        calls = any("127.0.0.1:8787" in b.code or "$FAILSOFT" in b.code for b in story if mine(b))
        async with contextlib.AsyncExitStack() as stack:
            url = "http://127.0.0.1:9"
            if calls:
                url = await stack.enter_async_context(serving(simulator.url, tmp_path / "service"))
            told = Story({"__name__": page}, {"8787": url, "8788": simulator.url})
            stack.push_async_callback(told.end)
            async with asyncio.timeout(LIMIT_SECONDS):
                for block in story:
                    await tell(block, told)


async def tell(block: Block, story: Story) -> None:
    if block.mark == "file":
        write(Path(block.said), block.code)
    if not mine(block):
        return
    if block.mark == "serve":
        await story.serve(block)
    elif block.language == "python":
        await run_python(block, story.names)
    elif block.language == "sh":
        await run_shell(block, story.places)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


async def run_python(block: Block, names: dict[str, object]) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile("\n" * block.line + block.code, block.page, "exec", flags=flags)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)  # noqa: S307 - our own pages
    else:  # which may run a loop of its own
        await asyncio.to_thread(exec, code, names)
    if block.mark != "file":
        await run_tests(names)


async def run_tests(names: dict[str, object]) -> None:
    """A test that is shown without a fixture passes."""
    for name in [name for name in names if name.startswith("test_")]:
        test = names.pop(name)
        if callable(test) and not inspect.signature(test).parameters:
            made = await asyncio.to_thread(test)
            if inspect.isawaitable(made):
                await made


async def run_shell(block: Block, places: dict[str, str]) -> None:
    script = block.code
    for port, place in places.items():
        script = script.replace(f"http://127.0.0.1:{port}", place)
    if all("=" in line.split(" ", maxsplit=1)[0] for line in lines(block)):
        script = f"set -a\n{script}\nfailsoft config check"
    bash = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env=environment(places),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        out, _ = await bash.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            bash.kill()
    assert bash.returncode == 0, f"{block.at}\n{script}\n{out.decode()}"
