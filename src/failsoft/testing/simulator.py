"""A simulator that runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from failsoft.chaos.simulator import JournalRecord, Simulator

__all__ = ["RunningSimulator"]

T = TypeVar("T")

# Its work is done in milliseconds; this only ends a test that would never end.
_PATIENCE_SECONDS = 30.0


class RunningSimulator:
    """A :class:`~failsoft.chaos.simulator.Simulator` with an event loop and a thread of its own.

        with RunningSimulator() as simulator:
            simulator.set("claude-opus-5-5", faults=["529"])

    So it answers tests without an event loop, and goes on while an application blocks its own.
    ``faults`` are MODEL=FAULT.
    """

    def __init__(self, *, faults: Sequence[str] = (), seed: int = 0) -> None:
        self._simulator = Simulator(faults=faults, seed=seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="failsoft-simulator", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._simulator.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut what is under way and be gone. Idempotent."""
        if self._loop.is_closed():
            return
        try:
            self._do(self._simulator.__aexit__(None, None, None))
        finally:
            self._stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._simulator.url

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which failsoft and the providers' SDKs call it and no one else."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "any",
            "FAILSOFT_ANTHROPIC_BASE_URL": self.url,
            "FAILSOFT_ANTHROPIC_API_KEY": "any",
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": "any",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    @property
    def requests(self) -> list[JournalRecord]:
        """The journal: every request so far, in order of arrival, those in flight too."""
        return self._call(lambda: self._simulator.requests)

    def set(self, model: str, *, faults: Sequence[str] = ()) -> None:
        """Replace the faults of a model, or of ``*``; their windows begin now."""
        self._call(lambda: self._simulator.set(model, faults=faults))

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self._do(run())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)

    def _stop(self) -> None:
        self._do(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()
