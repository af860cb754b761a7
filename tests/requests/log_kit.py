"""What tests of a request log ask for, and how they wait."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from failsoft.requests.log import RequestLog
from failsoft.requests.records import Ending, Intent, Known, Opened, Record, RequestState

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
    return b'id: %d\ndata: {"type":"text","text":"%b"}\n\n' % (number, text.encode())


def feed(log: RequestLog, record: Record, *numbers: int, shown: bool = True) -> bytes:
    for number in numbers:
        log.append(record.id, record.run, frame(number), number, shown=shown)
    return b"".join(map(frame, numbers))


async def opened(log: RequestLog, asked: Intent) -> Record:
    found = await log.open(asked)
    assert isinstance(found, Opened)
    return found.record


async def known(log: RequestLog, asked: Intent) -> Known:
    found = await log.open(asked)
    assert isinstance(found, Known)
    return found


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.01)
