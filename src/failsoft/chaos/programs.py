"""Runs a program of the machine, such as ``haproxy`` or a Redis that keeps nothing on disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from failsoft.errors import FailsoftError

__all__ = ["ClusterError", "Program", "start_redis"]


class ClusterError(FailsoftError):
    """The servers cannot be run or go on no longer; the line says what to do."""


_READY_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_STOP_SECONDS = 5.0
_LINES_TOLD = 3


class Program:
    """Found on the path or among the administrator's programs. What it says is kept in a file."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._said = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(
        self,
        *arguments: str,
        ready: Callable[[], Awaitable[bool]],
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start it and wait until it is ``ready``. Raises :class:`.ClusterError`."""
        with self._said.open("wb") as said:
            self._process = await asyncio.create_subprocess_exec(
                *_leash(), self._path(), *arguments,
                cwd=self._folder,
                env={**os.environ, **(environment or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=pass_fds,
                process_group=0,  # Ctrl-C in a terminal is for the parent
            )  # fmt: skip
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await ready():
                    if self._process.returncode is not None:
                        raise ClusterError(f"{self.name} ended at once: {self._last_words()}")
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise ClusterError(f"{self.name} is not ready in time: {self._last_words()}") from None

    async def ended(self) -> int | None:
        """Wait for it to end, however it does; its exit code."""
        return None if self._process is None else await self._process.wait()

    async def stop(self) -> None:
        """End it, by force where it does not end."""
        if self._process is None:
            return
        for end in (self._process.terminate, self._process.kill):
            with suppress(ProcessLookupError):
                end()
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
                    return

    def _path(self) -> str:
        # An account that is not root's has no sbin on its path, where Debian puts haproxy.
        path = shutil.which(self.name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if path is None:
            raise ClusterError(
                f"{self.name} is not installed: on Debian, as root, apt-get install {self.name}"
            )
        return path

    def _last_words(self) -> str:
        lines = self._said.read_text(errors="replace").split("\n")
        return " | ".join([line for line in lines if line][-_LINES_TOLD:]) or "it said nothing"


def _leash() -> tuple[str, ...]:
    """What ends it even where this process is killed; util-linux has it, BusyBox has not."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or Path(setpriv).resolve().name != "setpriv":
        return ()
    return setpriv, "--pdeathsig", "TERM"


async def start_redis(redis: Program) -> str:
    """Start it on a free port of this machine; gives its address.

    Raises :class:`.ClusterError`, also where it is not installed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    where = ("--bind", "127.0.0.1", "--port", port)

    async def ready() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.close()
            return True
        return False

    await redis.start(*where, "--save", "", "--appendonly", "no", ready=ready)
    return f"redis://127.0.0.1:{port}/0"
