"""One connection through the proxy: two pumps that look at the act in force at every piece."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from failsoft.chaos.proxy.acts import Act
from failsoft.chaos.proxy.journal import Connection

__all__ = ["Link", "reset"]

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
