"""Runs the command line as a person does: a process of its own, and what it prints."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from failsoft.config.presets import PRESETS

FAILSOFT = Path(sys.executable).with_name("failsoft")
READY = 60.0


@dataclass(frozen=True)
class Ended:
    code: int | None
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """This process's own, without any setting in it but these."""
    presets = (p.keys + p.addresses + p.regions + p.projects for p in PRESETS.values())
    theirs = {variable for variables in presets for variable in variables}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FAILSOFT_", "ANTHROPIC_")) and "proxy" not in name.lower()
        if name not in theirs
    }
    return kept | variables


async def run(
    *arguments: str,
    stdin: str = "",
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Ended:
    process = await asyncio.create_subprocess_exec(
        FAILSOFT,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environment(**(environ or {})),
    )
    out, err = await process.communicate(stdin.encode())
    return Ended(process.returncode, out.decode(), err.decode())


class Running:
    """A command that goes on until it is told to stop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._seen = {"stdout": "", "stderr": ""}

    async def until(self, pattern: str, where: str = "stdout") -> str:
        """Read on until the pattern is there; give its first group."""
        stream = getattr(self.process, where)
        async with asyncio.timeout(READY):
            while not (found := re.search(pattern, self._seen[where])):
                more = await stream.read(65536)
                assert more, f"it ended before {pattern!r}: {self._seen[where]}"
                self._seen[where] += more.decode()
        return found[1] if found.lastindex else found[0]

    async def stop(self, signal: int) -> Ended:
        self.process.send_signal(signal)
        async with asyncio.timeout(READY):
            out, err = await self.process.communicate()
        return Ended(
            self.process.returncode,
            self._seen["stdout"] + out.decode(),
            self._seen["stderr"] + err.decode(),
        )


@asynccontextmanager
async def running(
    *arguments: str,
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    stdout: int = asyncio.subprocess.PIPE,
    program: Path = FAILSOFT,
) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environment(**(environ or {})),
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
