"""The stream of a wrapped client, on its way from the engine to the SDK."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from failsoft.classify.verdict import Verdict
from failsoft.classify.wire_errors import Stopped, StreamFailed
from failsoft.engine.answer import Answer
from failsoft.engine.pipeline import carry_out
from failsoft.engine.request import Turn
from failsoft.providers.sdk import ClientProvider
from failsoft.wrap.replies import Reply

__all__ = ["Pipe", "Streamed", "tells_itself"]

Conclusion = tuple[Answer, Turn]

# Chunks waiting for the reader before the provider is no longer read from.
_BUFFERED_CHUNKS = 256


class Pipe:
    """The bytes of one answer. Nothing is let through before the first content.

    It is the driver's :class:`~failsoft.engine.request.Reader`. There is a ``conclusion``
    at the end.
    """

    def __init__(self, provider: ClientProvider[Reply]) -> None:
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

    async def room(self) -> None:
        """Return once it is not full."""
        while self.full:
            await self._wait()

    def text(self, text: str) -> None:  # noqa: ARG002 - its bytes are at hand
        """Let through what came of the reply as soon as all of it was looked at.

        That is when more is read: who is shown an error before the engine has seen it would end
        the request, which then had no failure.
        """
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
        turn: Turn,
        failed: Callable[[Answer, Turn], BaseException],
    ) -> None:
        """Carry the request out to its end.

        ``failed`` makes the exception that the reader gets where the answer broke off.
        """
        try:
            answer = await carry_out(turn)
            self.conclusion = answer, turn
            if answer.status == "success" or tells_itself(self._provider, answer, turn):
                self._flush()
            elif self.opened:
                self._flush()
                self._failure = failed(answer, turn)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised where it is read
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
        """Let through the events that the engine has read."""
        if events := self._provider.events:
            self._chunks.append(b"".join(events))
            events.clear()
        self._changed.set()


def tells_itself(provider: ClientProvider[Reply], answer: Answer, turn: Turn) -> bool:
    """Whether the SDK makes of the bytes what it would have made without failsoft.

    So it is with a refusal, which is a whole message, and for some with an ``error`` event.
    """
    cause = turn.cause(answer.verdict)
    kinds = (Stopped, StreamFailed) if provider.shows_errors else (Stopped,)
    return isinstance(cause, kinds) and provider.reply_with(cause) is not None


class Streamed:
    """A stream that has begun: its reply, and the pipe its bytes come through."""

    def __init__(self, reply: Reply, pipe: Pipe, task: asyncio.Task[Any]) -> None:
        self.reply = reply
        self.pipe = pipe
        self._task = task

    async def aclose(self) -> None:
        """End the request, wherever it is. Idempotent."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    def cancel(self) -> None:
        """The same from any thread, without waiting for it."""
        loop = self._task.get_loop()
        if not self._task.done() and not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel)
