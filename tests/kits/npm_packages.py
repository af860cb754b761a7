"""What tests need from npm, brought once, whoever comes first."""

import fcntl
import shutil
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
NEEDS = "needs Node 20 or newer with npm"


class NotHere(Exception):
    """Why the packages cannot be had."""


def bring(folder: Path = WEB) -> str:
    """Node, once the packages of the folder's package-lock.json are there. Raises NotHere."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotHere(NEEDS)
    version = run(node, "--version")[1].strip()
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        raise NotHere(f"{NEEDS}; this is {version}")
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of this run may be bringing them
        if not _fresh(folder):
            code, said = run(npm, "ci", "--silent", "--no-audit", "--no-fund", cwd=folder)
            if code:
                raise NotHere(f"npm ci in {folder.name}/ failed; is the registry reachable? {said}")
    return node


def run(*command: str, cwd: Path = WEB) -> tuple[int, str]:
    """A command in a folder: its exit code, and what it said."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def _fresh(folder: Path) -> bool:
    brought = folder / "node_modules" / ".package-lock.json"
    return brought.exists() and (
        brought.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime
    )
