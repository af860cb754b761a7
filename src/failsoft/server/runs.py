"""Where requests come in: each is run once, and duplicates join it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import (
    Conflict,
    Intent,
    Known,
    LogDownError,
    Opened,
    Record,
    RequestLog,
)
from failsoft.server.held_runs import HeldRuns
from failsoft.server.problem import Problem
from failsoft.server.run import Run
from failsoft.server.service import Service
from failsoft.storage.status import StoreStatus
from failsoft.telemetry.events import AttemptStarted, DuplicateJoined, Event, RetryScheduled
from failsoft.telemetry.labels import State

__all__ = ["RunRegistry"]

_Name = tuple[str, str]

# So often a log that is down is looked at by what waits for it.
_BACK_SECONDS = 0.5
_RETRY_AFTER_SECONDS = 5


class RunRegistry:
    """The runs of this process, and the log they share with the others. For one event loop."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self.log = log
        self._service = service
        self._runs: dict[str, Run] = {}
        self._keys: dict[_Name, asyncio.Task[Run | Record]] = {}
        self._held = HeldRuns()
        self._writing_back: asyncio.Task[None] | None = None
        self._started = False
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
        held = {"held": len(self._held), "dropped": self._held.dropped}
        log = asdict(self.store) | (held if any(held.values()) else {})
        health["stores"] = [log, *health["stores"]]
        if health["status"] == "ok" and not self.store.up:
            health["status"] = "degraded"
        return health

    def start(self) -> None:
        """Open the log. Idempotent; done by the first request at the latest."""
        if not self._started:
            self._started = True
            self.log.start(on_cancel=self._cancel_asked)

    async def open(
        self, intent: Intent, arguments: Mapping[str, Any], ai: Failsoft
    ) -> tuple[Run | Record, bool]:
        """The run of ``intent``, or the record of one that has ended or is another process's.

        ``ai`` is asked where it has to be run. True with it where this call started the run. Raises
        :class:`~failsoft.server.problem.Problem`: 422 where the key is known with another body, 503
        where the log is down and ``on_log_down`` refuses what it cannot protect.
        """
        self.start()
        if intent.key is None:
            return await self._begin(intent, arguments, ai), True
        name = (intent.scope, intent.key)
        held, opening = self._held.find(name), self._keys.get(name)
        mine = opening is None and (held is None or _may_run_again(held))
        if mine:
            opening = asyncio.create_task(self._begin(intent, arguments, ai, held))
            self._keys[name] = opening
            opening.add_done_callback(lambda done: self._opened(name, done))
        found = held if opening is None else await asyncio.shield(opening)
        if found is None:
            raise RuntimeError("a run that is neither held nor opened")
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
        run = self._runs.get(request_id) or self._held.of_request(request_id)
        return run if run is not None and run.record.scope == scope else None

    def protects(self, found: Run | Record) -> bool:
        """Whether its key keeps it from being run again, here and by every other process."""
        return self.log.status.up and (isinstance(found, Record) or found.entry.durable)

    async def cancel(self, request_id: str, scope: str) -> Record | None:
        """End a request, wherever it runs; its record, once this process's own run has ended.

        ``None`` where there is none that the caller may know of. Raises
        :class:`~failsoft.request_log.contract.LogDownError`; a run of this process has ended then.
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
        if self._writing_back is not None:
            self._writing_back.cancel()
        if self._started:
            await self.log.aclose()

    async def _begin(
        self,
        intent: Intent,
        arguments: Mapping[str, Any],
        ai: Failsoft,
        held: Run | None = None,
    ) -> Run | Record:
        if held is not None:  # a further run of the same request
            intent = replace(intent, id=held.record.id)
        opening = await self.log.open(intent)
        if isinstance(opening, Conflict):
            raise _other_body()
        if isinstance(opening, Known):
            return opening.record
        if intent.key is not None and not opening.entry.durable and self._refuses:
            raise _unprotected()
        run = Run(
            opening.record if held is None else _further(opening.record, held),
            arguments,
            ai=ai,
            service=self._service,
            entry=opening.entry,
            on_kept=self._forget,
        )
        self._runs[run.record.id] = run
        await asyncio.sleep(0)  # the model is asked first; the reply is begun meanwhile
        return run

    def _opened(self, name: _Name, opening: asyncio.Task[Run | Record]) -> None:
        """Only a run under way is joined here; anything else the log knows better next time."""
        failed = opening.cancelled() or opening.exception() is not None
        if failed or not isinstance(opening.result(), Run):
            del self._keys[name]

    def _forget(self, run: Run) -> None:
        """Later requests are answered from the log; while it is down, by what is held."""
        self._runs.pop(run.record.id, None)
        if run.record.key is None:
            return
        self._keys.pop((run.record.scope, run.record.key), None)
        if not self.protects(run):
            self._held.add(run)
            if self._writing_back is None or self._writing_back.done():
                self._writing_back = asyncio.create_task(self._write_back())

    @property
    def _refuses(self) -> bool:
        return self._service.ai.settings.on_log_down == "refuse"

    async def _write_back(self) -> None:
        """Enter what is held in the log once it is back, the oldest first.

        What the log refuses, since something else is in its place, keeps no other from it.
        """
        while held := self._held.oldest_first():
            for run in held:
                if self.log.status.up and await self._entered(run):
                    self._held.remove((run.record.scope, run.record.key or ""), run)
            if len(self._held):
                await asyncio.sleep(_BACK_SECONDS)

    async def _entered(self, run: Run) -> bool:
        """Whether the log has it, or the same request of another process; enters it else."""
        if run.entry.durable:  # the log writes its end by itself
            with suppress(LogDownError):
                record = await self.log.find(run.record.id, run.record.scope)
                return record is None or record.state.ended
            return False
        opening = await self.log.open(_intent_of(run.record))
        if not isinstance(opening, Opened):
            return True
        entry, shown = opening.entry, run.shown
        if not entry.durable or run.ending is None:
            return False
        for number, frame in enumerate(run.live.frames, start=run.live.first_id):
            entry.append(frame, number, shown=shown)
        await entry.end(run.ending)
        return True

    def _hear(self, event: Event) -> None:
        run = self._runs.get(event.request_id)
        if run is None:
            return
        run.happened.append(event)
        if isinstance(event, AttemptStarted):
            run.attempt = event.number
            run.entry.progress(event.number, None)
        elif isinstance(event, RetryScheduled):
            until = time.time() + event.wait_seconds
            run.entry.progress(run.attempt, until)

    def _cancel_asked(self, request_id: str, number: int) -> None:
        run = self._runs.get(request_id)
        if run is not None and run.record.run == number:
            run.stop("cancelled")


def _may_run_again(held: Run) -> bool:
    return held.ending is None or held.ending.retryable


def _further(record: Record, held: Run) -> Record:
    """The next run of a request whose earlier run only this process knows."""
    if record.run > 1:
        return record
    return replace(
        record,
        run=held.record.run + 1,
        first_id=held.live.next_id,
        last_id=held.live.next_id - 1,
        shown_run=held.record.run if held.shown else held.record.shown_run,
    )


def _intent_of(record: Record) -> Intent:
    return Intent(
        id=record.id,
        scope=record.scope,
        key=record.key,
        fingerprint=record.fingerprint,
        stream=record.stream,
        route=record.route,
        locale=record.locale,
    )


def _unprotected() -> Problem:
    return Problem(
        503,
        "Requests with an Idempotency-Key cannot be protected from being answered twice now: the "
        "request log is down. Send it again in a few seconds, with the same key.",
        headers={"retry-after": str(_RETRY_AFTER_SECONDS)},
    )


def _other_body() -> Problem:
    return Problem.of_field(
        422,
        "Idempotency-Key",
        "was sent before with another body or X-Simulate-Error, or to the other route; "
        "use a new key to ask anew",
    )
