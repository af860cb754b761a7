"""Prometheus's own tool, and the rules it is asked about."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMMITTED = ROOT / "src" / "failsoft" / "telemetry" / "alerts.yml"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (on Debian: apt-get install prometheus)",
)


def promtool(*arguments: str | Path) -> str:
    """What it says; fails the test where it is not content."""
    done = subprocess.run(  # noqa: S603 - no word of it is from outside
        ["promtool", *map(str, arguments)],  # noqa: S607 - wherever it is installed
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
