"""The simulator as something to run: in a test, or from the command line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from failsoft.chaos.simulator.app import BOARD, JOURNAL, create_app
from failsoft.chaos.simulator.clock import Clock
from failsoft.chaos.simulator.faults import parse_fault
from failsoft.chaos.simulator.journal import Record
from failsoft.chaos.simulator.script import Step, load_script

__all__ = ["Simulator", "serve_simulator"]

_SHUTDOWN_SECONDS = 0.05


class Simulator:
    """A simulated Messages API on an address of this machine.

        async with Simulator(faults=["claude-opus-5-5=529@0.2"]) as sim:
            client = AsyncAnthropic(base_url=sim.url, api_key="any", max_retries=0)
            ...
            sim.set("claude-opus-5-5", faults=["hang"])
            assert len(sim.requests) == 3

    ``faults`` are MODEL=FAULT, ``steps`` a script's (:func:`.load_script`), ``upstream`` the
    address that healthy calls are passed on to. ``port`` 0 takes a free one. What is wrong in them
    raises :class:`~failsoft.errors.SettingError`; an address in use raises OSError on entering.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Sequence[str] = (),
        steps: Sequence[Step] = (),
        upstream: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._app = create_app(
            seed=seed, faults=faults, steps=steps, upstream=upstream, clock=clock
        )
        self._address = (host, port)
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def requests(self) -> list[Record]:
        """The journal: every request so far, in order of arrival, those in flight too."""
        return self._app[JOURNAL].records

    def set(self, model: str, *, faults: Sequence[str] = ()) -> None:
        """Replace the faults of a model, or of ``*``; their windows begin now."""
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
            await web.TCPSite(runner, *self._address).start()
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
        if self._runner is not None:
            await self._runner.cleanup()


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

    ``on_ready`` is told its URL once it listens. Raises what :class:`Simulator` raises.
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
