"""Whether the service works, told without calling a model."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.client import Failsoft
from failsoft.server.drain import Drain
from failsoft.server.guard import Guard
from failsoft.server.wire import json_bytes

__all__ = ["Health", "Probes"]


class Health:
    """``GET /api/health/ai``."""

    def __init__(self, ai: Failsoft, guard: Guard) -> None:
        self._ai = ai
        self._guard = guard

    async def show(self, request: Request, _request_id: str) -> Response:
        """Breakers, targets and errors, from real traffic. Always 200."""
        self._guard.tenant(request.headers)
        return _Status(self._ai.health())


class Probes:
    """``/livez`` and ``/readyz``: this process alone; a provider's outage changes nothing."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    async def live(self, _request: Request, _request_id: str) -> Response:
        """It runs."""
        return _Status({"status": "ok"})

    async def ready(self, _request: Request, _request_id: str) -> Response:
        """It takes requests."""
        if self._drain.began:
            return _Status({"status": "draining"}, 503)
        return _Status({"status": "ok"})


class _Status(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json_bytes(content)
