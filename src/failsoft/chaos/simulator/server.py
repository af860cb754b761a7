"""The simulator as something to run, in a test or from the command line, and its routes."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from failsoft.chaos.simulator.connection import RECORD, as_response
from failsoft.chaos.simulator.control import CONTROL_PREFIX, control_routes
from failsoft.chaos.simulator.journal import Journal, JournalRecord, Outcome
from failsoft.chaos.simulator.model_api import ModelApi, dialect_of
from failsoft.chaos.simulator.passthrough import Upstream
from failsoft.chaos.simulator.script import Board, ScriptStep, load_script
from failsoft.chaos.simulator.simulated_answer import BadCallError
from failsoft.chaos.simulator.time import Clock
from failsoft.chaos.simulator.wire import error_reply
from failsoft.faults.fault_grammar import format_fault, parse_assignments, parse_fault

__all__ = ["BOARD", "JOURNAL", "Simulator", "create_app", "serve_simulator"]


BOARD: Final = web.AppKey("board", Board)
JOURNAL: Final = web.AppKey("journal", Journal)

_BODY_LIMIT: Final = 32 * 1024 * 1024  # the API's own
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *,
    seed: int = 0,
    faults: Sequence[str] = (),
    steps: Sequence[ScriptStep] = (),
    upstream: str | None = None,
    clock: Clock | None = None,
    journal_limit: int = 50_000,
) -> web.Application:
    """Make the application; its time begins now.

    ``faults`` are MODEL=FAULT, ``steps`` a script's, ``upstream`` the address that healthy calls
    are passed on to; the journal keeps the last ``journal_limit`` requests. The runner must be
    given ``handler_cancellation=True``, or a client that leaves a hanging reply goes unnoticed.
    Raises :class:`~failsoft.errors.SettingError`.
    """
    clock = clock or Clock()
    board = Board(seed=seed, clock=clock, steps=steps)
    for model, behaviour in parse_assignments(faults).items():
        board.set(model, behaviour)
    proxied = None if upstream is None else Upstream(upstream)
    journal = Journal(clock=clock, seed=seed, limit=journal_limit)
    api = ModelApi(seed=seed, board=board, clock=clock, upstream=proxied)
    noting = _Noting(journal, clock)
    app = web.Application(middlewares=[noting.middleware], client_max_size=_BODY_LIMIT)
    app.on_shutdown.append(noting.stop)
    app[BOARD], app[JOURNAL] = board, journal
    app.add_routes(control_routes(board, journal))
    app.add_routes(api.routes())
    if proxied is not None:
        app.cleanup_ctx.append(proxied.connected)
    return app


class _Noting:
    """Opens a record for every request but the simulator's own, and closes it when it is over."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._stopping = False

    async def stop(self, _app: web.Application) -> None:
        """From here on it is the simulator that breaks replies off, not the clients."""
        self._stopping = True

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        record = request[RECORD] = self._journal.open(request.path)
        try:
            response = await _answered(request, handler, record)
            if record.outcome == "open":
                await self._finish(request, response, record)
        except asyncio.CancelledError:
            record.outcome = self._broken_off()
            raise
        except ConnectionError:  # raised again, aiohttp would log it as an error of the simulator
            record.outcome = self._broken_off()
            return web.Response()
        finally:
            record.ended_s = self._clock.now()
        return response

    def _broken_off(self) -> Outcome:
        return "cut" if self._stopping else "client_gone"

    async def _finish(
        self, request: web.Request, response: web.StreamResponse, record: JournalRecord
    ) -> None:
        if not response.prepared:
            record.status = response.status
            record.first_byte_s = self._clock.now()
            await response.prepare(request)
        await response.write_eof()
        record.outcome = "completed"


async def _answered(
    request: web.Request, handler: _Handler, record: JournalRecord
) -> web.StreamResponse:
    dialect = dialect_of(request)
    try:
        return await handler(request)
    except BadCallError as error:
        failure = dialect.of_mistake(error)
    except web.HTTPException as error:
        failure = dialect.of_status(error.status)
    reply = error_reply(dialect, failure, record.request_id)
    return as_response(reply, {dialect.request_id_header: record.request_id})


_SHUTDOWN_SECONDS = 0.05
_TURNS: Final = 5  # of the event loop


class Simulator:
    """A simulated Messages API and Chat Completions API on an address of this machine.

        async with Simulator(faults=["claude-opus-5-5=529@0.2"]) as sim:
            client = AsyncAnthropic(base_url=sim.url, api_key="any", max_retries=0)
            other = AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0)
            ...
            sim.set("claude-opus-5-5", faults=["hang"])
            assert len(sim.requests) == 3

    ``faults`` are MODEL=FAULT, ``steps`` a script's (:func:`load_script`), ``upstream`` the
    address that healthy calls are passed on to. ``port`` 0 takes a free one. A mistake in them
    raises :class:`~failsoft.errors.SettingError`; an address in use raises OSError on entering.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Sequence[str] = (),
        steps: Sequence[ScriptStep] = (),
        upstream: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._app = create_app(
            seed=seed, faults=faults, steps=steps, upstream=upstream, clock=clock
        )
        self._address = (host, port)
        self._listener: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def requests(self) -> list[JournalRecord]:
        """The journal: every request so far, in order of arrival, those in flight too."""
        return self._app[JOURNAL].records

    @property
    def faults(self) -> dict[str, list[str]]:
        """The faults in force, by model, as they are written."""
        board = self._app[BOARD].faults()
        return {model: [format_fault(each) for each in faults] for model, faults in board.items()}

    def set(self, model: str, *, faults: Sequence[str] = ()) -> None:
        """Replace the faults of a model, or of ``gpt-*`` or ``*``; their windows begin now."""
        self._app[BOARD].set(model, [parse_fault(fault) for fault in faults])

    async def __aenter__(self) -> Self:
        runner = web.AppRunner(
            self._app,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await runner.setup()
        try:
            self._listener = socket.create_server(self._address, family=_family(self._address[0]))
            await web.SockSite(runner, self._listener).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is None or self._listener is None:
            return
        # asyncio leaks what was accepted in the turn in which the listening ends: accept no more
        # first, and let what was accepted connect.
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self._runner.cleanup()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def serve_simulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8788,
    seed: int = 0,
    script: Path | None = None,
    faults: Sequence[str] = (),
    upstream: str | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Run a simulator until SIGTERM, SIGINT or cancellation.

    ``on_ready`` gets its URL once it listens. Raises what :class:`Simulator` raises.
    """
    steps = () if script is None else load_script(script)
    simulator = Simulator(
        seed=seed, faults=faults, steps=steps, upstream=upstream, host=host, port=port
    )
    async with simulator:
        with _stop_signals() as stopped:
            on_ready(simulator.url)
            await stopped.wait()


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    # Not on Windows, and only in the main thread; elsewhere cancellation is the way to stop.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in signals:
            loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for number in signals:
                loop.remove_signal_handler(number)
