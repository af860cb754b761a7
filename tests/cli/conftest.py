from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cli_command import Ended, environment

from failsoft.chaos.simulator import Simulator
from failsoft.cli import main

Invoke = Callable[..., Ended]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
def environ(simulator: Simulator) -> dict[str, str]:
    """What points a command at the simulator."""
    return {
        "ANTHROPIC_BASE_URL": simulator.url,
        "ANTHROPIC_API_KEY": "any",
        "OPENAI_BASE_URL": f"{simulator.url}/v1",
        "OPENAI_API_KEY": "any",
    }


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Invoke:
    """Runs a command in this process: for those that start nothing."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str = "", **environ: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["failsoft", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with monkeypatch.context() as patch:
            patch.setenv("no_proxy", "")  # so that what a command does to it is undone
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return Ended(ended.value.code or 0, said.out, said.err)

    return run
