"""The proxy as something to run."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from failsoft.chaos.proxy.acts import PASS, Act, parse_act
from failsoft.chaos.proxy.journal import Connection, End
from failsoft.chaos.proxy.link import Link, Streams, reset

__all__ = ["FaultProxy"]

_HOST = "127.0.0.1"
_CONNECT_SECONDS = 5.0
_BACKLOG = 512
_REMEMBERED = 10_000


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and leads to ``target``, an ``http://host:port``.

        async with FaultProxy(simulator.url) as proxy:
            proxy.set("blackhole")

    ``limit`` bounds the connections at a time: one more is reset. ``connections`` is the journal,
    the last 10,000. Leaving ends every connection, and nothing is left running.
    """

    def __init__(self, target: str, *, limit: int = 1000) -> None:
        parts = urlsplit(target)
        if not parts.hostname or not parts.port:
            raise ValueError(f"target must be http://host:port; it is {target!r}")
        self._target = (parts.hostname, parts.port)
        self._limit = limit
        self._act = PASS
        self._started = 0.0
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._port = 0
        self._closed = False
        self._links: dict[asyncio.Task[None], Link | None] = {}
        self.connections: deque[Connection] = deque(maxlen=_REMEMBERED)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self._port}"

    @property
    def act(self) -> Act:
        """What it does at the moment."""
        return self._act

    @property
    def open(self) -> int:
        """Connections at the moment."""
        return len(self._links)

    async def set(self, act: Act | str) -> None:
        """Do this from now on, to what is open too. Raises SettingError for no such act."""
        self._act = parse_act(act) if isinstance(act, str) else act
        for task, link in list(self._links.items()):
            # One that was accepted while nothing was forwarded has no other side: it ends as well.
            over = self._act.name != "blackhole" if link is None else link.changed(self._act)
            if over:
                task.cancel()
        if self._act.name == "refuse":
            self._stop_listening()
        else:
            await self._listen()

    async def __aenter__(self) -> Self:
        self._started = time.monotonic()
        self._held = self._bind()
        self._port = self._held.getsockname()[1]
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._held is not None:
            self._held.close()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _bind(self) -> socket.socket:
        """Take the port without listening: connecting is refused, and nobody else can have it."""
        taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((_HOST, self._port))
        return taken

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._held = self._bind()

    async def _listen(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._server = await asyncio.start_server(self._accept, sock=held, backlog=_BACKLOG)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._closed:
            reset(writer)
            return
        entry = Connection(opened_s=self._now(), act=str(self._act))
        self.connections.append(entry)
        full = len(self._links) >= self._limit
        self._links[task] = None
        try:
            entry.end = "full" if full else await self._serve(task, (reader, writer), entry)
        except (asyncio.CancelledError, OSError):
            entry.end = "reset"
        finally:
            del self._links[task]
            entry.ended_s = self._now()
            if entry.end == "closed":
                writer.close()
            else:
                reset(writer)

    async def _serve(self, task: asyncio.Task[None], client: Streams, entry: Connection) -> End:
        if self._act.name in ("reset", "refuse"):
            return "reset"
        if not self._act.forwards:
            while await client[0].read(65536):
                pass
            return "closed"
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                other = await asyncio.open_connection(*self._target)
        except OSError:
            return "unreachable"
        link = self._links[task] = Link(client, other, entry, lambda: self._act)
        whole = False
        try:
            whole = await link.run()
        finally:
            if whole:
                other[1].close()
            else:
                reset(other[1])
        return "closed" if whole else "reset"

    def _now(self) -> float:
        return time.monotonic() - self._started
