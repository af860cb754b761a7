"""The same calls for code without an event loop, run on the asynchronous engine in a thread."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

from failsoft.engine.answer import Answer, StreamEvent
from failsoft.engine.client import Failsoft
from failsoft.engine.portal import Portal

__all__ = ["BlockingFailsoft"]


class BlockingFailsoft:
    """:class:`~failsoft.engine.client.Failsoft` for code without a loop, by the same names.

        with BlockingFailsoft() as ai:
            print(ai.ask("What is an escrow account?").text)

    It owns one thread with one event loop, started at the first call; safe to share between
    threads, and to use in a process that was forked: a child has a thread of its own. An interrupt
    (``KeyboardInterrupt``) cancels the call that was waited for.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._ai = Failsoft(*args, **settings)
        self._portal = Portal("BlockingFailsoft")

    def ask(self, *args: Any, **arguments: Any) -> Answer:
        """Ask one question, as :meth:`~failsoft.engine.client.Failsoft.ask` does."""
        return self._portal.wait(self._ai.ask(*args, **arguments))

    def complete(self, **arguments: Any) -> Answer:
        """Send the provider's fields, as :meth:`~failsoft.engine.client.Failsoft.complete` does."""
        return self._portal.wait(self._ai.complete(**arguments))

    def stream(self, *args: Any, **arguments: Any) -> Iterator[StreamEvent]:
        """Read the answer while it comes; closing the generator cancels the request.

        The arguments and events are those of :meth:`~failsoft.engine.client.Failsoft.stream`.
        """
        stream = self._ai.stream(*args, **arguments)
        loop = self._portal.loop()
        try:
            while (event := self._portal.wait(_next(stream.__anext__()))) is not None:
                yield event
        finally:
            if self._portal.runs(loop):  # not after closing, nor in a child of who began it
                self._portal.wait(stream.aclose())

    def health(self) -> dict[str, Any]:
        """The state of the service, as :meth:`~failsoft.engine.client.Failsoft.health` gives it."""
        return self._ai.health()

    def close(self) -> None:
        """Close every connection and end the thread. Idempotent."""
        self._portal.close(self._ai.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def _next(event: Coroutine[Any, Any, StreamEvent]) -> StreamEvent | None:
    try:
        return await event
    except StopAsyncIteration:
        return None
