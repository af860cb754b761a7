"""A Redis and a crowd of worker processes for a benchmark, all on the loopback and ended with it.

A worker reads a line of JSON for each task, does it, and answers with another.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["LocalRedis", "Worker", "crowd", "local_redis", "together"]


class LocalRedis:
    """A redis-server that keeps nothing on disk. Can be killed and started again, empty."""

    def __init__(self, folder: str) -> None:
        found = shutil.which("redis-server")
        if found is None:
            sys.exit("no redis-server: on Debian, apt-get install redis-server")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", folder]
        self._command = [found, *where, "--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return once it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)  # noqa: S603 - Debian's own
        while True:
            with contextlib.suppress(OSError):
                self.ask("PING")
                return
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop it as it is: connections stay open, nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def scripts(self) -> int:
        """How many scripts were run so far."""
        said = self.ask("INFO commandstats").partition("cmdstat_evalsha:calls=")[2]
        return int(said.partition(",")[0] or 0)

    def ask(self, command: str) -> str:
        """One command, and its reply as it comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"{command}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@contextlib.contextmanager
def local_redis() -> Iterator[LocalRedis]:
    """One that runs for as long as the block."""
    with TemporaryDirectory() as folder:
        redis = LocalRedis(folder)
        redis.start()
        try:
            yield redis
        finally:
            redis.kill()


class Worker:
    """One process of the crowd."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def begin(self, task: str, **arguments: Any) -> None:
        """Have it begin with a task."""
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps({"task": task, **arguments}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for what came of it."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the worker {self._process.args!r} has ended")
        return json.loads(line)

    def do(self, task: str, **arguments: Any) -> Any:
        """A whole task."""
        self.begin(task, **arguments)
        return self.answer()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def crowd(number: int, command: Sequence[str]) -> Iterator[list[Worker]]:
    """So many workers, for as long as the block; each is told its own number last.

    Each prints a line of JSON once it is ready.
    """
    workers: list[Worker] = []
    try:
        for place in range(number):  # one that cannot start leaves none behind
            workers += [Worker([*command, str(place)])]
        for worker in workers:
            worker.answer()
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def together(workers: Sequence[Worker], task: str, **arguments: Any) -> list[Any]:
    """The same task in all of them at once."""
    for worker in workers:
        worker.begin(task, **arguments)
    return [worker.answer() for worker in workers]
