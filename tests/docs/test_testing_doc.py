"""docs/testing.md: every test shown passes, and the tables say what is set."""

import asyncio
import inspect
import re
from pathlib import Path

import pytest

from failsoft.testing.app_under_test import SHORT_LIMITS, SHORT_TIMERS
from failsoft.testing.check_report import COLUMNS
from failsoft.testing.exchange import LIMIT_SECONDS
from failsoft_pytest import failing_ai, frozen_time, no_waits, simulator

__all__ = ["failing_ai", "frozen_time", "no_waits", "simulator"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def _examples(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
async def test_the_tests_shown_pass(number, request):
    shown = {}
    exec(compile(BLOCKS[number], f"docs/testing.md, block {number}", "exec"), shown)  # noqa: S102 - our own page
    tests = [value for name, value in shown.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        needed = inspect.signature(test).parameters
        await _run(test, {name: request.getfixturevalue(name) for name in needed})


async def _run(test, fixtures):
    if inspect.iscoroutinefunction(test):
        await test(**fixtures)
        return
    await asyncio.to_thread(test, **fixtures)


def test_the_limits_are_those_that_are_set():
    said = {}
    for names, value in re.findall(
        r"^\| (`FAILSOFT_.*?)(?: \(.*\))? \| ([\d.]+) \|$", PAGE, re.MULTILINE
    ):
        said |= dict.fromkeys(re.findall(r"`(\w+)`", names), value)
    assert said == {**SHORT_LIMITS, **SHORT_TIMERS}
    assert f"within {LIMIT_SECONDS:g} s" in PAGE


def test_the_table_has_the_columns_there_are():
    explained = PAGE.partition("| column |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| (\w+) \|", explained, re.MULTILINE)) == COLUMNS
