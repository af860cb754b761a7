"""One engine for a whole run of pytest-asyncio, in which each test has a loop of its own."""

import os
import subprocess
import sys

from failsoft.testing import RunningSimulator

TESTS = """
import pytest
from failsoft import Failsoft

@pytest.fixture(scope="session")
def ai():
    return Failsoft()

@pytest.mark.parametrize("number", range(3))
async def test_in_a_loop_of_its_own(ai, number):
    assert (await ai.ask("Hello?")).status == "success"

@pytest.mark.asyncio(loop_scope="session")
async def test_in_the_loop_of_the_session(ai):
    assert (await ai.ask("Hello?")).status == "success"

async def test_and_again(ai):
    async with ai.stream("Hello?") as events:
        assert [event async for event in events]
"""


def test_nothing_is_left_open_between_the_tests(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    with RunningSimulator() as upstream:
        ran = subprocess.run(  # noqa: S603 - our own interpreter and code
            [
                *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
                *("-o", "asyncio_mode=auto"),
                *("-o", "asyncio_default_fixture_loop_scope=function", "test_it.py"),
            ],
            cwd=tmp_path,
            env=os.environ | upstream.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout
    assert "5 passed" in ran.stdout
    assert "Unclosed" not in ran.stdout + ran.stderr
