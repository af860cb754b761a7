"""The benchmarks against peers, run for a second with those that need no other environment."""

import ast
import io
import json
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from benchmarks.failure_peers import row, run
from benchmarks.peers import contestants
from benchmarks.peers.__main__ import everybody, measure, summed
from benchmarks.peers.environments import PINS
from benchmarks.peers.process import serve
from benchmarks.peers.roster import ROSTER, Entry
from benchmarks.peers.troubles import TROUBLES, Day

ROOT = Path(__file__).parents[2]
FOLDER = Path(contestants.__file__).parent
PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
HERE = (
    Entry(module="sdk", name="Anthropic SDK", environment="failsoft"),
    Entry(module="ask", name="failsoft ask", environment="failsoft"),
    Entry(module="complete", name="failsoft complete", environment="failsoft"),
)
SHORT = Day(rate=8.0, since=0.5, until=1.0, asked=1.5, watch=60.0)


@pytest.fixture(autouse=True)
def _at_home(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))


def test_what_a_call_costs_is_measured():
    with everybody(HERE) as workers:
        samples = measure(workers, stream=False, rounds=1, calls=4)
    rows = summed(samples)
    assert set(rows) == {entry.name for entry in HERE}
    assert all(
        of["cpu_ms"] > 0 and of["wall_ms"] > 0 for loads in rows.values() for of in loads.values()
    )


def test_a_short_trouble_is_run():
    [trouble] = [one for one in TROUBLES if one.key == "cut"]
    told = run(trouble, SHORT, HERE[:2])
    assert set(told) == {"Anthropic SDK", "failsoft ask"}
    assert told["failsoft ask"].repeated == told["failsoft ask"].truncated == 0
    assert all(what.waiting == 0 and what.back_seconds is not None for what in told.values())
    assert row("failsoft ask", told["failsoft ask"], SHORT).count("|") == 11


async def test_who_cannot_take_part_says_why(monkeypatch):
    @asynccontextmanager
    async def connect(url):
        raise NotImplementedError(f"nothing to ask {url} with")
        yield

    absent = ModuleType("benchmarks.peers.contestants.absent")
    absent.connect = connect
    monkeypatch.setitem(sys.modules, absent.__name__, absent)
    out = io.StringIO()
    await serve("absent", "http://here", out)
    assert json.loads(out.getvalue()) == {"missing": "nothing to ask http://here with"}


def test_every_contestant_is_in_the_roster_and_can_be_read():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == {entry.module for entry in ROSTER}
    for name in files:
        tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        assert "connect" in {
            node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)
        }


EVERY_PIN = sorted(PINS.parents[1].glob("*/pins/*.txt"))


@pytest.mark.parametrize("pins", EVERY_PIN, ids=lambda path: path.stem)
def test_pins_have_hashes_and_name_no_address(pins):
    text = pins.read_text(encoding="utf-8")
    assert "==" in text
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert "index-url" not in text


def test_the_environments_are_those_with_pins():
    assert {path.stem for path in PINS.glob("*.txt")} == {entry.environment for entry in ROSTER} - {
        "failsoft"
    }


def test_the_page_shows_the_code_that_runs():
    sources = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")]
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= len(ROSTER) - 1
    assert [block for block in blocks if not any(block in source for source in sources)] == []


def test_the_page_names_the_versions_that_run():
    pins = "\n".join(path.read_text(encoding="utf-8") for path in PINS.glob("*.txt"))
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", pins, re.MULTILINE))
    told = re.findall(r"`([\w-]+)` (\d[\w.]*\w)", PAGE)
    names = {"anthropic", "tenacity", "purgatory", "litellm", "langchain-anthropic"}
    assert {name for name, _ in told} >= names
    assert [(name, version) for name, version in told if pinned[name] != version] == []
