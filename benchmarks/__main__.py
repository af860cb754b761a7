"""Run every benchmark, one after another."""

from __future__ import annotations

import subprocess
import sys

for name in (
    "core",
    "telemetry",
    "streams",
    "dialects",
    "openai_sdk",
    "failure",
    "cache",
    "shared_state",
    "browser",
):
    print(f"\n## {name}\n", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)  # noqa: S603 - our own
