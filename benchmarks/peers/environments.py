"""An environment for each set of pins in ``pins/``, made when it is first needed.

Installed by uv where there is one, else by pip; every package by its hash.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["FOLDER", "PINS", "ROOT", "python_of", "python_with"]

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).parent / "pins"
FOLDER = ROOT / ".peers"
OWN = "failsoft"  # the environment that runs the benchmark


def python_of(environment: str) -> str:
    """The interpreter of an environment with what its pins name."""
    return sys.executable if environment == OWN else python_with(PINS / f"{environment}.txt")


def python_with(pins: Path) -> str:
    """The interpreter of the environment with what a file of pins names, and by the file's name."""
    folder = FOLDER / pins.stem
    python = folder / "bin" / "python"
    made = folder / ".made"  # of these pins, and whole
    print_of = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not made.exists() or made.read_text() != print_of:
        print(f"making {folder.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)  # noqa: S603 - our own
        subprocess.run(_install(str(python), str(pins)), check=True)  # noqa: S603 - pinned by hashes
        made.write_text(print_of)
    return str(python)


def _install(python: str, pins: str) -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", pins]
    return [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", pins]
