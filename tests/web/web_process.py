"""A `failsoft` command as a process, behind its address."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def running(
    *command: str, folder: Path, says: bytes, where: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """The command in that folder; gives the address in what it says, once it ``says`` so.

    ``where`` is stdout or stderr; it is read to its end, so that the process never waits for it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FAILSOFT_", "ANTHROPIC_")) and "proxy" not in name.lower()
    }
    pipe = {where: asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("failsoft"), *command),
        cwd=folder,
        env=kept | dict(environ or {}),
        **pipe,
    )
    stream = getattr(process, where)
    drained: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(60):
            said = b""
            while not (found := re.search(says, said)):
                line = await stream.readline()
                assert line, f"failsoft {command[0]} ended before it served: {said.decode()}"
                said += line
        drained = asyncio.create_task(stream.read())
        yield found[1].decode()
    finally:
        process.terminate()
        await process.wait()
        if drained is not None:
            await drained
