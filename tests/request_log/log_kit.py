"""What tests of a request log ask for, and how they wait."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import pytest

from failsoft.request_log.contract import (
    Ending,
    Entry,
    Intent,
    Known,
    LogDownError,
    Opened,
    Record,
    RequestLog,
    RequestState,
)

DONE = Ending(state=RequestState.DONE, retryable=False, status=200, body=b'{"response":"yes"}')
FAILED = Ending(state=RequestState.FAILED, retryable=True, status=503, body=b'{"error":"no"}')


def intent(key: str | None = None, scope: str = "acme:ada", body: bytes = b"\x01\xff") -> Intent:
    return Intent(
        id=f"req_{secrets.token_hex(8)}",
        scope=scope,
        key=key,
        fingerprint=body,
        stream=True,
        route="chat",
        locale="en",
    )


def frame(number: int, text: str = "wörd") -> bytes:
    return b'data: {"type":"text","text":"%b"}\nid: %d\n\n' % (text.encode(), number)


def feed(entry: Entry, *numbers: int, shown: bool = True) -> bytes:
    for number in numbers:
        entry.append(frame(number), number, shown=shown)
    return b"".join(map(frame, numbers))


async def started(log: RequestLog, asked: Intent) -> tuple[Record, Entry]:
    found = await log.open(asked)
    assert isinstance(found, Opened)
    return found.record, found.entry


async def opened(log: RequestLog, asked: Intent) -> Record:
    record, _ = await started(log, asked)
    return record


async def known(log: RequestLog, asked: Intent) -> Known:
    found = await log.open(asked)
    assert isinstance(found, Known)
    return found


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.01)


async def is_down(log: RequestLog, *words: str, told: str) -> None:
    """What a log does while it is down; ``told`` is what whoever reads from it hears."""

    async def fallen() -> bool:
        await log.open(intent())
        return not log.status.up

    await until(fallen)
    assert all(word in log.status.problem for word in words), log.status.problem
    assert "\n" not in log.status.problem
    found = await log.open(intent("k"))
    assert isinstance(found, Opened)
    assert found.new
    assert not found.entry.durable
    feed(found.entry, 1)
    found.entry.progress(1, None)
    assert await found.entry.end(DONE)
    await log.follow(found.record.id)
    for reading in (
        log.find("r", "s"),
        log.events("r", 1, 0),
        log.cancel("r", "s"),
    ):
        with pytest.raises(LogDownError, match=told):
            await reading
