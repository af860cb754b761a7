"""A TCP proxy that harms the connections through it on purpose.

An act is written ``NAME[;OPTION=VALUE]``: ``pass``, ``cut;bytes=2000``, ``delay;ms=300``. The table
of acts here is the only place where one is defined; the documentation and the scenarios of drills
follow it. Each connection is two pumps that look at the act in force at every piece, and a record
in the journal.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from failsoft.errors import SettingError

__all__ = [
    "ACTS",
    "PASS",
    "Act",
    "Connection",
    "End",
    "FaultProxy",
    "Link",
    "ProxyFault",
    "parse_act",
    "reset",
]


# An hour, or a gigabyte: more than any drill lasts or answer has.
_MOST = {"ms": 3_600_000, "bytes": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``value`` is that of its option: milliseconds or bytes; 0 where it has none."""

    name: str
    value: int = 0

    def __str__(self) -> str:
        option = ACTS[self.name].option
        return f"{self.name};{option}={self.value}" if option else self.name

    @property
    def loses(self) -> bool:
        """Whether bytes are swallowed, so that the connection can never be whole again."""
        return self.name in ("blackhole", "half_open")

    @property
    def forwards(self) -> bool:
        """Whether new connections are led to the other side."""
        return self.name in ("pass", "cut", "delay", "half_open")


@dataclass(frozen=True, slots=True)
class ProxyFault:
    """An act's meaning in one line, and the name and default of its option."""

    doc: str
    option: str = ""
    default: int = 0


ACTS: Final[Mapping[str, ProxyFault]] = {
    "pass": ProxyFault("bytes go through as they come"),
    "refuse": ProxyFault("nothing listens: connecting is refused, what is open is reset"),
    "reset": ProxyFault("connections are accepted and reset (RST), what is open too"),
    "blackhole": ProxyFault(
        "connections are accepted, bytes are swallowed, nothing ever comes back"
    ),
    "cut": ProxyFault("a connection is reset after so many bytes of the reply", "bytes", 1000),
    "delay": ProxyFault("every piece is held back for so long, both ways", "ms", 200),
    "half_open": ProxyFault("what is sent arrives, what comes back is swallowed; no end is seen"),
}

PASS: Final = Act("pass")


def parse_act(text: str, *, where: str = "proxy") -> Act:
    """Read an act. Raises :class:`~failsoft.errors.SettingError`, which begins with ``where``."""
    name, *options = (part.strip() for part in text.split(";"))
    kind = ACTS.get(name)
    if kind is None:
        raise SettingError(where, f"{name!r} is no act: give one of {', '.join(ACTS)}")
    value = kind.default
    for option in options:
        value = _value(option, kind, name, where)
    return Act(name, value)


def _value(option: str, kind: ProxyFault, name: str, where: str) -> int:
    key, _, said = (part.strip() for part in option.partition("="))
    if not kind.option or key != kind.option:
        takes = f"takes {kind.option}" if kind.option else "takes none"
        raise SettingError(where, f"{name} has no option {key!r}; it {takes}")
    most = _MOST[key]
    if not (said.isdecimal() and said.isascii() and len(said) < len(str(most)) + 1) or (
        int(said) > most
    ):
        raise SettingError(where, f"{key} must be a whole number from 0 to {most}; it is {said!r}")
    return int(said)


End = Literal["open", "closed", "reset", "full", "unreachable"]


@dataclass(slots=True, kw_only=True)
class Connection:
    """One connection. Times are seconds since the proxy's start.

    ``sent`` and ``received`` are the bytes that went to the other side and came back through.
    ``end``: ``open`` while it lasts, ``closed`` by either side, ``reset`` by an act, ``full`` when
    there were too many, ``unreachable`` when the other side could not be reached. ``act`` is what
    was in force when it came.
    """

    opened_s: float
    act: str
    ended_s: float | None = None
    sent: int = 0
    received: int = 0
    end: End = "open"


# So much is held of one connection in each direction, and no more.
_PIECE = 64 * 1024

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """Carries bytes between a client and the other side, until either ends or an act breaks it."""

    def __init__(
        self, client: Streams, other: Streams, entry: Connection, act: Callable[[], Act]
    ) -> None:
        self._client = client
        self._other = other
        self._entry = entry
        self._act = act
        self._damaged = False
        self._since_cut = 0

    async def run(self) -> bool:
        """Carry until both directions have ended; False where the connection broke."""
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(self._client[0], self._other[1], back=False))
                pumps.create_task(self._pump(self._other[0], self._client[1], back=True))
        except* OSError:
            whole = False
        else:
            whole = True
        return whole

    def changed(self, act: Act) -> bool:
        """Take note of a new act; True where this connection is not to go on under it."""
        self._since_cut = 0
        if self._damaged and not act.loses:
            return True  # what was swallowed is missing: no stack would let it go on
        return act.name in ("refuse", "reset")

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, back: bool
    ) -> None:
        while piece := await source.read(_PIECE):
            act = self._act()
            if act.name == "delay":
                await asyncio.sleep(act.value / 1000)
                act = self._act()
            if act.loses and (back or act.name == "blackhole"):
                self._damaged = True
                continue
            await self._give(piece, sink, act, back=back)
        if self._act().loses:
            self._damaged = True
            return
        with suppress(OSError):
            sink.write_eof()

    async def _give(
        self, piece: bytes, sink: asyncio.StreamWriter, act: Act, *, back: bool
    ) -> None:
        if back and act.name == "cut":
            piece = piece[: max(0, act.value - self._since_cut)]
            self._since_cut += len(piece)
        sink.write(piece)
        await sink.drain()
        if back:
            self._entry.received += len(piece)
        else:
            self._entry.sent += len(piece)
        if back and act.name == "cut" and self._since_cut >= act.value:
            raise ConnectionResetError


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    connected = writer.get_extra_info("socket")
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


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
        """Take the port without listening: connecting is refused, no other program gets it."""
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
