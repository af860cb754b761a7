"""The fault proxy over real sockets: what each act does to both ends, and that nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from failsoft.chaos.tcp_proxy import ACTS, FaultProxy, parse_act
from failsoft.errors import SettingError

SOON = 0.15


class Echo:
    """Sends back what it gets, and knows how its connections ended."""

    def __init__(self) -> None:
        self.got = b""
        self.ends: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                self.got += piece
                writer.write(piece)
                await writer.drain()
            self.ends.append("eof")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Echo, str]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    yield echo, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
async def echo():
    async with echoing() as (echo, url), FaultProxy(url) as proxy:
        echo.proxy = proxy
        yield echo
    assert proxy.open == 0


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readexactly(count)

    async def silent(self) -> bool:
        try:
            async with asyncio.timeout(SOON):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def calling(proxy: FaultProxy) -> AsyncIterator[Caller]:
    port = int(proxy.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


async def ended(proxy: FaultProxy) -> None:
    async with asyncio.timeout(5):
        while proxy.open:  # noqa: ASYNC110 - nothing tells this end of it
            await asyncio.sleep(0.005)


async def test_bytes_go_through_both_ways_and_the_end_is_told(echo):
    async with calling(echo.proxy) as caller:
        await caller.say(b"x" * 300_000)
        assert await caller.hear(300_000) == b"x" * 300_000
        caller.writer.write_eof()
        assert await caller.reader.read() == b""
    await ended(echo.proxy)
    (entry,) = echo.proxy.connections
    assert (entry.end, entry.sent, entry.received) == ("closed", 300_000, 300_000)
    assert (entry.act, echo.ends) == ("pass", ["eof"])
    assert 0 <= entry.opened_s <= entry.ended_s


async def test_refuse_refuses_and_the_port_is_its_own_again(echo):
    proxy = echo.proxy
    async with calling(proxy) as caller:
        await caller.say(b"hello")
        await caller.hear(5)
        await proxy.set("refuse")
        with pytest.raises(ConnectionResetError):
            await caller.hear(1)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            async with calling(proxy):
                pass
        await proxy.set("refuse")
    await proxy.set("pass")
    async with calling(proxy) as caller:
        await caller.say(b"again")
        assert await caller.hear(5) == b"again"


async def test_reset_resets_what_is_open_and_what_comes(echo):
    async with calling(echo.proxy) as caller:
        await caller.say(b"hello")
        await caller.hear(5)
        await echo.proxy.set("reset")
        with pytest.raises(ConnectionResetError):
            await caller.hear(1)
    async with calling(echo.proxy) as caller:
        with pytest.raises(ConnectionResetError):
            await caller.hear(1)
    await ended(echo.proxy)
    assert [entry.end for entry in echo.proxy.connections] == ["reset", "reset"]
    assert echo.ends == ["reset"]


async def test_blackhole_swallows_and_what_has_lost_bytes_does_not_go_on(echo):
    async with calling(echo.proxy) as old:
        await old.say(b"before")
        await old.hear(6)
        await echo.proxy.set("blackhole")
        async with calling(echo.proxy) as new:
            await old.say(b"lost")
            await new.say(b"lost")
            assert await old.silent()
            assert await new.silent()
            assert echo.got == b"before"
            await echo.proxy.set("pass")
            for caller in (old, new):
                with pytest.raises(ConnectionResetError):
                    await caller.hear(1)


async def test_a_connection_that_lost_nothing_goes_on_after_the_cut(echo):
    async with calling(echo.proxy) as caller:
        await caller.say(b"before")
        await caller.hear(6)
        await echo.proxy.set("blackhole")
        await asyncio.sleep(0)
        await echo.proxy.set("pass")
        await caller.say(b"after")
        assert await caller.hear(5) == b"after"


async def test_half_open_sends_and_never_hears(echo):
    await echo.proxy.set("half_open")
    async with calling(echo.proxy) as caller:
        await caller.say(b"hello")
        assert await caller.silent()
        assert echo.got == b"hello"
    await echo.proxy.set("pass")
    await ended(echo.proxy)


@pytest.mark.parametrize("size", [0, 1, 700])
async def test_cut_lets_so_many_bytes_of_the_reply_through(echo, size):
    await echo.proxy.set(f"cut;bytes={size}")
    async with calling(echo.proxy) as caller:
        await caller.say(b"y" * 1000)
        assert await caller.hear(size) == b"y" * size
        with pytest.raises(ConnectionResetError):
            await caller.hear(1)
    await ended(echo.proxy)
    assert echo.proxy.connections[0].received == size


async def test_delay_holds_every_piece_back_both_ways(echo):
    await echo.proxy.set("delay;ms=40")
    began = asyncio.get_running_loop().time()
    async with calling(echo.proxy) as caller:
        await caller.say(b"hello")
        assert await caller.hear(5) == b"hello"
    assert asyncio.get_running_loop().time() - began >= 0.079


async def test_one_connection_too_many_is_reset():
    async with echoing() as (_, url), FaultProxy(url, limit=1) as proxy, calling(proxy) as first:
        await first.say(b"a")
        await first.hear(1)
        async with calling(proxy) as second:
            with pytest.raises(ConnectionResetError):
                await second.hear(1)
        await first.say(b"b")
        assert await first.hear(1) == b"b"
        assert [entry.end for entry in proxy.connections] == ["open", "full"]


async def test_a_target_that_is_not_there_is_a_reset(unused_port):
    async with FaultProxy(f"http://127.0.0.1:{unused_port}") as proxy, calling(proxy) as caller:
        with pytest.raises(ConnectionResetError):
            await caller.hear(1)
        assert proxy.connections[0].end == "unreachable"


async def test_nothing_is_left_of_many_connections_whatever_the_act():
    before, tasks = open_files(), len(asyncio.all_tasks())
    left = []
    async with echoing() as (_, url):
        async with FaultProxy(url) as proxy:
            for act in ("pass", "blackhole", "half_open", "delay;ms=5000", "cut;bytes=1", "reset"):
                await proxy.set(act)
                callers = [await asyncio.open_connection("127.0.0.1", _port(proxy)) for _ in "1234"]
                for _, writer in callers:
                    writer.write(b"hello")
                await asyncio.sleep(0.01)
                for _, writer in callers[:2]:
                    writer.close()
                left += [writer for _, writer in callers[2:]]
        assert proxy.open == 0
        assert all(entry.ended_s is not None for entry in proxy.connections)
    for writer in left:
        writer.close()
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks or open_files() > before:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _port(proxy: FaultProxy) -> int:
    return int(proxy.url.rpartition(":")[2])


def test_acts_are_read_and_written():
    assert [str(parse_act(name)) for name in ACTS] == [
        "pass", "refuse", "reset", "blackhole", "cut;bytes=1000", "delay;ms=200", "half_open"
    ]  # fmt: skip
    assert str(parse_act(" cut ; bytes=5 ")) == "cut;bytes=5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no act: give one of pass, refuse, reset, blackhole, cut, delay, half_open"),
        ("pass;ms=1", "pass has no option 'ms'; it takes none"),
        ("cut;ms=1", "cut has no option 'ms'; it takes bytes"),
        ("cut;bytes=x", "bytes must be a whole number from 0 to 1000000000; it is 'x'"),
        ("delay;ms=-1", "ms must be a whole number from 0 to 3600000; it is '-1'"),
        ("delay;ms=3600001", "ms must be a whole number from 0 to 3600000; it is '3600001'"),
    ],
)
def test_a_wrong_act_is_told_with_what_is_allowed(text, said):
    with pytest.raises(SettingError, match="proxy: ") as told:
        parse_act(text)
    assert told.value.problem == said


@pytest.mark.parametrize("target", ["", "http://host", "127.0.0.1:80"])
def test_a_target_must_be_an_address_with_a_port(target):
    with pytest.raises(ValueError, match="must be http://host:port"):
        FaultProxy(target)
