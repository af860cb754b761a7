"""An application under test: started again for every case, its only provider a simulator.

It is served on this machine in a thread while the check runs, and the events of every ``Failsoft``
made meanwhile are recorded.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from failsoft.errors import extra
from failsoft.telemetry.events import Event
from failsoft.telemetry.publisher import Publisher
from failsoft.testing.cases import Seen
from failsoft.testing.exchange import Ask, AskFunction, asked
from failsoft.testing.simulator import RunningSimulator

with extra("server", "check_fails_soft"):
    import uvicorn

__all__ = ["SHORT_LIMITS", "SHORT_TIMERS", "Trial", "heard", "makes", "served"]


_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.005
_CALLS = ("/messages", "/chat/completions")


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application, its lifespan included; gives its URL.

    It has a loop of its own: one that blocks its loop is then late, and not a check that hangs.
    Raises :class:`AssertionError` where it does not start.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=lambda: asyncio.run(_serve(server, listener)), name="failsoft-check", daemon=True
        )
        thread.start()
        try:
            _await_start(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    with suppress(SystemExit):  # its way to say that the application did not start
        await server.serve([listener])
    # A client that the application never closed would warn of its connections whenever it is
    # collected, in the middle of another test.
    left = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(left.values()):
        transport.abort()
    await asyncio.sleep(0)


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise AssertionError(
                "the application did not start: its log (logger uvicorn.error) says why"
            )
        time.sleep(_LOOK_SECONDS)


@contextmanager
def heard() -> Iterator[list[Event]]:
    """The events so far, of any instance: the application keeps its own to itself."""
    events: list[Event] = []
    real = Publisher.__init__

    def init(publisher: Publisher, subscribers: Sequence[Callable[[Event], None]]) -> None:
        real(publisher, (*subscribers, events.append))

    with patch.object(Publisher, "__init__", init):
        yield events


# Only how long things take, never how many: what a check sees of thresholds is the application's.
SHORT_LIMITS: Final[Mapping[str, str]] = {
    "FAILSOFT_DEADLINE_SECONDS": "8",
    "FAILSOFT_STREAM_DEADLINE_SECONDS": "8",
    "FAILSOFT_TIMERS_FIRST_CONTENT_MIN_SECONDS": "0.5",
    "FAILSOFT_RETRY_BASE_DELAY_SECONDS": "0.05",
    "FAILSOFT_RETRY_MAX_DELAY_SECONDS": "0.2",
    "FAILSOFT_RETRY_OVERLOADED_MIN_SECONDS": "0.05",
    "FAILSOFT_BREAKER_FAILURE_SPAN_SECONDS": "0.05",
}

# Where a fault is silence. Elsewhere a busy machine could only be mistaken for it.
SHORT_TIMERS: Final[Mapping[str, str]] = {
    "FAILSOFT_TIMERS_FIRST_CONTENT_SECONDS": "1",
    "FAILSOFT_TIMERS_IDLE_SECONDS": "1",
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
        return [call for call in self._simulator.requests if call.path.endswith(_CALLS)]

    @classmethod
    @asynccontextmanager
    async def of(
        cls, app: Any, ask: Ask | AskFunction, *, inside: bool = False, silent: bool = False
    ) -> AsyncIterator[Trial]:
        """Start the application with a simulator of its own, in an environment that says so.

        ``silent``: its timers are short, since nothing else ends what is to go wrong.
        """
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="failsoft-check-"))
            simulator = stack.enter_context(RunningSimulator())
            events = stack.enter_context(heard())
            own = {"FAILSOFT_DATA_DIR": str(Path(folder) / "data")}
            limits = {**SHORT_LIMITS, **SHORT_TIMERS} if silent else SHORT_LIMITS
            stack.enter_context(_environment({**simulator.environment, **limits, **own}))
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
