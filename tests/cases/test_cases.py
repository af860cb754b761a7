"""Programs that show faults found in use: each runs in a process of its own and ends well."""

import multiprocessing
import os
import runpy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = {each.stem: each for each in HERE.glob("*.py")}
CASES = sorted(set(PROGRAMS) - {"case", Path(__file__).stem})
LIMIT_SECONDS = 120

# Forked from a process that has loaded what takes the longest.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["anthropic", "failsoft.wrap.sdk_middleware"])


def run(name, folder, path):
    """Play one, as ``python NAME.py`` does it in that folder; what it prints is in its file."""
    os.chdir(folder)
    sys.path[:0] = path
    printed = os.open(f"{name}.txt", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(printed, stream)
    runpy.run_path(str(PROGRAMS[name]), run_name="__main__")


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """All at once: most of their time is waits."""
    folder, path = tmp_path_factory.mktemp("cases"), [str(HERE), str(HERE.parent / "kits")]
    started = {name: PROCESSES.Process(target=run, args=(name, folder, path)) for name in CASES}
    for process in started.values():
        process.start()
    yield folder, started
    for process in started.values():
        process.kill()
        process.join()


@pytest.mark.parametrize("name", CASES)
def test_it_is_right(processes, name):
    folder, started = processes
    started[name].join(LIMIT_SECONDS)
    assert started[name].exitcode == 0, (folder / f"{name}.txt").read_text(encoding="utf-8")
