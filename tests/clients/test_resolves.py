"""An application's other packages can be installed with failsoft's extras: it needs the index."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"all"})
LIMIT_SECONDS = 120


@pytest.mark.parametrize(
    ("others", "without"),
    [
        ("instructor", "anthropic"),  # it allows other versions of the SDK than the extra brings
        ("langchain-anthropic", ""),
        ("pydantic-ai", ""),
        ("langchain-anthropic pydantic-ai", ""),
    ],
)
def test_it_resolves_with(others, without):
    extras = ",".join(each for each in EXTRAS if each != without)
    wanted = [f"failsoft[{extras}] @ {ROOT.as_uri()}", *others.split()]
    resolved = subprocess.run(  # noqa: S603 - our own
        [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "-"],
        input="\n".join(wanted),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert resolved.returncode == 0, resolved.stderr
    packages = {line.partition("==")[0] for line in resolved.stdout.splitlines()}
    assert packages >= set(others.split())
