"""An application under trial: started anew for every case, its only provider a simulator."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from failsoft.telemetry.events import Event
from failsoft.testing.asking import Ask, AskFunction, asked
from failsoft.testing.hearing import heard
from failsoft.testing.judge import Seen
from failsoft.testing.serving import served
from failsoft.testing.upstream import RunningSimulator

__all__ = ["SHORT_LIMITS", "Trial", "makes"]

# Only how long things take, never how many: what a check sees of thresholds is the application's.
# Shorter timers than these are met by a healthy reply on a busy machine.
SHORT_LIMITS: Final[Mapping[str, str]] = {
    "FAILSOFT_DEADLINE_SECONDS": "3",
    "FAILSOFT_STREAM_DEADLINE_SECONDS": "3",
    "FAILSOFT_TIMERS_FIRST_CONTENT_SECONDS": "1",
    "FAILSOFT_TIMERS_FIRST_CONTENT_MIN_SECONDS": "0.5",
    "FAILSOFT_TIMERS_IDLE_SECONDS": "1",
    "FAILSOFT_RETRY_BASE_DELAY_SECONDS": "0.05",
    "FAILSOFT_RETRY_MAX_DELAY_SECONDS": "0.2",
    "FAILSOFT_RETRY_OVERLOADED_MIN_SECONDS": "0.05",
    "FAILSOFT_BREAKER_FAILURE_SPAN_SECONDS": "0.05",
}

_SETTLE_SECONDS: Final = 0.1


class Trial:
    """An application that is running, and how to ask it.

    ``inside`` is whether failsoft answers in it, as far as was heard.
    """

    def __init__(
        self,
        url: str,
        ask: Ask | AskFunction,
        simulator: RunningSimulator,
        events: list[Event],
        *,
        inside: bool,
    ) -> None:
        self.inside = inside
        self._url = url
        self._ask = ask
        self._simulator = simulator
        self._events = events

    def break_all(self, fault: str) -> None:
        """Have every model fail."""
        self._simulator.set("*", faults=[fault])

    def break_one(self, model: str, fault: str) -> None:
        """Have one model fail."""
        self._simulator.set(model, faults=[fault])

    async def ask(self, question: str, *, stream: bool = False) -> Seen:
        """Ask, and look at it from all sides."""
        calls, events = len(self._requests()), len(self._events)
        reply = await asked(self._url, self._ask, question, stream=stream)
        if not reply.problem:
            await asyncio.sleep(_SETTLE_SECONDS)  # what is counted is counted after the last byte
        self.inside = self.inside or len(self._events) > events
        return Seen(
            reply=reply,
            calls=self._requests()[calls:],
            events=self._events[events:] if self.inside else None,
        )

    def _requests(self) -> list[Any]:
        return [call for call in self._simulator.requests if call.path == "/v1/messages"]

    @classmethod
    @asynccontextmanager
    async def of(
        cls, app: Any, ask: Ask | AskFunction, *, inside: bool = False
    ) -> AsyncIterator[Trial]:
        """Start the application beside a simulator of its own, in an environment that says so."""
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="failsoft-check-"))
            simulator = stack.enter_context(RunningSimulator())
            events = stack.enter_context(heard())
            own = {"FAILSOFT_DATA_DIR": str(Path(folder) / "data")}
            stack.enter_context(_environment({**simulator.environment, **SHORT_LIMITS, **own}))
            url = stack.enter_context(served(app() if makes(app) else app))
            # Before the application is stopped, which may be waiting for it with all it has.
            stack.callback(simulator.close)
            yield cls(url, ask, simulator, events, inside=inside)


def makes(app: Any) -> bool:
    """Whether this is a function that makes an application: one itself needs three arguments."""
    if not callable(app):
        raise TypeError(
            f"app must be an ASGI application or a function that makes one, not {app!r}"
        )
    try:
        inspect.signature(app).bind()
    except TypeError:
        return False
    return True


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
