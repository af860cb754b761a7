"""A wrapped client's stream on its way from the engine to the SDK."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from failsoft.classify.failures import Stopped, StreamFailed
from failsoft.classify.verdict import Verdict
from failsoft.engine.answer import Answer
from failsoft.engine.driver import Ending
from failsoft.engine.wrapping.replies import AsyncReply, BlockingReply
from failsoft.providers.sdk import SdkProvider

__all__ = ["Pipe", "Reply", "tells_itself"]

Reply = AsyncReply | BlockingReply
Conclusion = tuple[Answer, Ending]

# Chunks waiting for the reader before the provider is no longer read from.
_BUFFERED_CHUNKS = 256


class Pipe:
    """The bytes of one answer. Nothing is let through before the first content.

    It is the driver's :class:`~failsoft.engine.driver.Reader`. There is a ``conclusion``
    at the end.
    """

    def __init__(self, provider: SdkProvider[Reply]) -> None:
        self._provider = provider
        self._chunks: deque[bytes] = deque()
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._over = False
        self.opened = False
        self.conclusion: Conclusion | None = None

    @property
    def full(self) -> bool:
        """Whether giving out more would wait for the reader."""
        return len(self._chunks) >= _BUFFERED_CHUNKS

    async def text(self, text: str) -> None:  # noqa: ARG002 - its bytes are at hand
        """Let through what came of the reply as soon as all of it was looked at.

        That is when more is read: who is shown an error before the engine has seen it would end
        the request, which then had no failure.
        """
        while self.full:
            await self._wait()
        if (reply := self._provider.latest) is not None:
            reply.reading = self._flush
        self.opened = True
        self._changed.set()

    def hopping(self) -> None:
        """Another target is being tried."""

    def waiting(self, why: str, seconds: float, verdict: Verdict | None) -> None:
        """The request waits before its next call."""

    async def run(
        self,
        request: Coroutine[Any, Any, Conclusion],
        failed: Callable[[Answer, Ending], BaseException],
    ) -> None:
        """Carry the request out to its end.

        ``failed`` makes the exception that the reader gets where the answer broke off.
        """
        try:
            self.conclusion = answer, ending = await request
            told = answer.status == "success" or tells_itself(self._provider, answer, ending)
            if told or self.opened:
                self._flush()
            if not told and self.opened:
                self._failure = failed(answer, ending)
        except Exception as error:  # noqa: BLE001 - raised where it is read
            self._failure = error
        finally:
            self._over = True
            self._changed.set()

    async def begun(self) -> None:
        """Return once there is something to read, or nothing will come.

        Raises what the request raised, where that is no failure of a model.
        """
        while not (self.opened or self._over):
            await self._wait()
        if self._failure is not None and not self.opened:
            raise self._failure

    async def take(self) -> bytes:
        """The next bytes, empty at the end; raises where the answer broke off."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._over:
                return b""
            await self._wait()
        taken = b"".join(self._chunks)
        self._chunks.clear()
        self._changed.set()
        return taken

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _flush(self) -> None:
        if (reply := self._provider.latest) is not None:
            self._chunks.extend(reply.heard)
            reply.heard.clear()
        self._changed.set()


def tells_itself(provider: SdkProvider[Reply], answer: Answer, ending: Ending) -> bool:
    """Whether the SDK makes of the bytes what it would have made without failsoft.

    So it is with a refusal, which is a whole message, and with an ``error`` event.
    """
    cause = ending.cause(answer.verdict)
    return isinstance(cause, Stopped | StreamFailed) and provider.reply_with(cause) is not None
