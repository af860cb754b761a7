"""An environment for each set of pins in ``pins/``, made when it is first needed.

Installed by uv where there is one, else by pip; every package by its hash.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["PINS", "python_of"]

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).parent / "pins"
FOLDER = ROOT / ".peers"
OWN = "failsoft"  # the environment that runs the benchmark


def python_of(environment: str, folder: Path = PINS) -> str:
    """The interpreter of an environment with what its pins in ``folder`` name."""
    if environment == OWN:
        return sys.executable
    pins = folder / f"{environment}.txt"
    place, python = FOLDER / environment, FOLDER / environment / "bin" / "python"
    made = place / ".made"  # of these pins, and whole
    print_of = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not made.exists() or made.read_text() != print_of:
        print(f"making {place.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)  # noqa: S603 - our own
        subprocess.run(_install(str(python), str(pins)), check=True)  # noqa: S603 - pinned by hashes
        made.write_text(print_of)
    return str(python)


def _install(python: str, pins: str) -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", pins]
    return [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", pins]
