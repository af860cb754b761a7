"""Where requests come in: each is run once, and whoever asks again joins it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import Conflict, Intent, Known, Record, RequestLog
from failsoft.server.problem import Problem
from failsoft.server.run import Run
from failsoft.server.service import Service
from failsoft.storage.status import StoreStatus
from failsoft.telemetry.events import AttemptStarted, DuplicateJoined, Event, RetryScheduled
from failsoft.telemetry.labels import State

__all__ = ["Desk"]

_Name = tuple[str, str]


class Desk:
    """The runs of this process, and the log they share with the others. For one event loop."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self.log = log
        self._service = service
        self._runs: dict[str, Run] = {}
        self._keys: dict[_Name, asyncio.Task[Run | Record]] = {}
        self._started = False
        self._tasks: set[asyncio.Task[Any]] = set()
        service.ai.subscribe(self._hear)
        service.simulations.subscribe(self._hear)
        service.ai.on_close(self.aclose)

    @property
    def store(self) -> StoreStatus:
        """Whether the log works."""
        self.start()
        return self.log.status

    def state(self) -> State:
        """What gauges show, the log among the stores."""
        state, log = self._service.ai.state(), self.store
        return replace(state, stores={log.name: log.up, **state.stores})

    def health(self) -> dict[str, Any]:
        """The body of ``GET /api/health/ai``, the log among the stores."""
        health = self._service.ai.health()
        health["stores"] = [asdict(self.store), *health["stores"]]
        if health["status"] == "ok" and not self.store.up:
            health["status"] = "degraded"
        return health

    def start(self) -> None:
        """Open the log. Idempotent; done by the first request where nobody did it before."""
        if not self._started:
            self._started = True
            self.log.start(on_cancel=self._cancel_asked)

    async def open(
        self, intent: Intent, arguments: Mapping[str, Any], ai: Failsoft
    ) -> tuple[Run | Record, bool]:
        """The run of ``intent``, or the record of one that has ended or is another process's.

        ``ai`` is asked where it has to be run. True with it where this call started the run. Raises
        :class:`~failsoft.server.problem.Problem` (422) where the key is known with another body.
        """
        self.start()
        if intent.key is None:
            return await self._begin(intent, arguments, ai), True
        name = (intent.scope, intent.key)
        opening = self._keys.get(name)
        mine = opening is None
        if opening is None:
            opening = asyncio.create_task(self._begin(intent, arguments, ai))
            self._keys[name] = opening
            opening.add_done_callback(lambda done: self._opened(name, done))
        found = await asyncio.shield(opening)
        record = found.record if isinstance(found, Run) else found
        if record.fingerprint != intent.fingerprint:
            raise _other_body()
        started = mine and isinstance(found, Run)
        if not started:
            at = time.time()
            ai.publish(DuplicateJoined(at=at, request_id=record.id, route=record.route))
        return found, started

    def run_of(self, request_id: str, scope: str) -> Run | None:
        """The run of that request, where it is this process's and the caller may know of it."""
        run = self._runs.get(request_id)
        return run if run is not None and run.record.scope == scope else None

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """End a request, wherever it runs; its record, once this process's own run has ended.

        ``None`` where there is none that the caller may know of. Raises
        :class:`~failsoft.request_log.contract.LogDownError`.
        """
        self.start()
        run = self.run_of(request_id, scope)
        if run is None:
            return await self.log.cancel(request_id, scope)
        run.stop("cancelled")
        await run.ended()
        return await self.log.find(request_id, scope)

    async def aclose(self, drain_seconds: float) -> None:
        """Take nothing new, let what runs end, cut off the rest, and close the log."""
        await self._service.drain.run(drain_seconds)
        if self._started:
            await self.log.aclose()

    async def _begin(
        self, intent: Intent, arguments: Mapping[str, Any], ai: Failsoft
    ) -> Run | Record:
        opening = await self.log.open(intent)
        if isinstance(opening, Conflict):
            raise _other_body()
        if isinstance(opening, Known):
            return opening.record
        run = Run(
            opening.record,
            arguments,
            ai=ai,
            service=self._service,
            log=self.log,
            on_kept=self._forget,
        )
        self._runs[run.record.id] = run
        task = run.start()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # the model is asked first; the reply is begun meanwhile
        return run

    def _opened(self, name: _Name, opening: asyncio.Task[Run | Record]) -> None:
        """Only a run under way is joined here; anything else the log knows better next time."""
        failed = opening.cancelled() or opening.exception() is not None
        if failed or not isinstance(opening.result(), Run):
            del self._keys[name]

    def _forget(self, run: Run) -> None:
        """Whoever asks from now on is answered from the log."""
        self._runs.pop(run.record.id, None)
        if run.record.key is not None:
            self._keys.pop((run.record.scope, run.record.key), None)

    def _hear(self, event: Event) -> None:
        run = self._runs.get(event.request_id)
        if run is None:
            return
        if isinstance(event, AttemptStarted):
            run.attempt = event.number
            self.log.progress(run.record.id, run.record.run, event.number, None)
        elif isinstance(event, RetryScheduled):
            until = time.time() + event.wait_seconds
            self.log.progress(run.record.id, run.record.run, run.attempt, until)

    def _cancel_asked(self, request_id: str, number: int) -> None:
        run = self._runs.get(request_id)
        if run is not None and run.record.run == number:
            run.stop("cancelled")


def _other_body() -> Problem:
    return Problem.of_field(
        422,
        "Idempotency-Key",
        "was sent before with another body or X-Simulate-Error, or to the other route; "
        "use a new key to ask anew",
    )
