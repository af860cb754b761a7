"""``GET /metrics``: what was counted, for Prometheus."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import mark_process_dead
from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.runs import RunRegistry
from failsoft.server.service import Service
from failsoft.telemetry.metrics import Metrics

__all__ = ["SHARED_FOLDER", "MetricsPage"]

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# Another process may be asked for this one's gauges.
_SHOW_SECONDS = 2.0


class MetricsPage:
    """The metrics of all workers, from whichever of them is asked."""

    def __init__(self, service: Service, registry: RunRegistry) -> None:
        self._service = service
        self._registry = registry
        self._metrics = Metrics(service.ai.labels)
        service.ai.subscribe(self._metrics)

    async def show(self, request: Request, _request_id: str) -> Response:
        """In Prometheus' text format. Needs a key where the service has keys."""
        self._service.guard.tenant(request.headers)
        self._refresh()
        if SHARED_FOLDER in os.environ:
            await asyncio.to_thread(_forget_the_dead)
        text = await asyncio.to_thread(self._metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Keep the gauges fresh for the other workers, where there are any."""
        if SHARED_FOLDER not in os.environ:
            yield
            return
        keeping = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    async def _keep_fresh(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(_SHOW_SECONDS)

    def _refresh(self) -> None:
        self._metrics.show(self._registry.state())


def _forget_the_dead() -> None:
    """The gauges of a worker that was killed would be shown for ever."""
    for file in Path(os.environ[SHARED_FOLDER]).glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if (
            number.isdigit()
            and not Path(f"/proc/{number}").exists()
            and Path("/proc/self").exists()
        ):
            mark_process_dead(int(number))  # type: ignore[no-untyped-call]
