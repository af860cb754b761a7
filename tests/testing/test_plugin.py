"""The plugin as pytest finds it: by its entry point, at next to no cost, in a suite of any kind."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """
from failsoft.testing import check_fails_soft


def test_a_failure(failing_ai):
    assert failing_ai("transient").settings.deadline_seconds == 1.0


def test_a_simulator(simulator):
    assert simulator.url.startswith("http://127.0.0.1:")


def test_time(frozen_time):
    frozen_time.advance(1)
"""


@pytest.fixture
def installed(tmp_path):
    """A folder with the entry point of pyproject.toml, as an installed wheel would have it."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    points = said["project"]["entry-points"]["pytest11"]
    folder = tmp_path / "site" / "failsoft_here-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: failsoft-here\nVersion: 0\n")
    lines = [f"{name} = {place}" for name, place in points.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    return folder.parent


def run(installed, suite, *flags):
    (installed.parent / "test_it.py").write_text(suite, encoding="utf-8")
    (installed.parent / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(ROOT / "src"), str(installed)])
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:asyncio", *flags],
        capture_output=True,
        text=True,
        check=False,
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert not done.stderr, done.stderr
    return done


def test_its_fixtures_are_there_without_a_word(installed):
    done = run(installed, SUITE, "-q")
    assert "3 passed" in done.stdout


def test_a_suite_that_does_not_use_it_imports_nothing_of_failsoft(installed):
    suite = "import sys\n\n\ndef test_it():\n    assert 'failsoft_pytest' in sys.modules\n"
    suite += "    heavy = {'failsoft', 'aiohttp', 'fastapi', 'uvicorn'} & set(sys.modules)\n"
    done = run(installed, suite + "    assert not heavy\n", "-q")
    assert "1 passed" in done.stdout


def test_its_fixtures_say_what_they_are(installed):
    done = run(installed, SUITE, "--fixtures", "-q")
    for words in ("A simulated Messages API", "whose models fail as said", "that stands still"):
        assert words in done.stdout
