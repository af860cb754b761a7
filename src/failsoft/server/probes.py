"""Health of the service, without a call to a model."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.render import JsonResponse
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Drain, Service

__all__ = ["Health", "Probes"]


class Health:
    """``GET /api/health/ai``."""

    def __init__(self, service: Service, registry: RunRegistry) -> None:
        self._service = service
        self._registry = registry

    async def show(self, request: Request, _request_id: str) -> Response:
        """Breakers, targets and errors, from real traffic. Always 200."""
        self._service.guard.tenant(request.headers)
        return JsonResponse(self._registry.health())


class Probes:
    """``/livez`` and ``/readyz``: this process alone; a provider's outage changes nothing."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    async def live(self, _request: Request, _request_id: str) -> Response:
        """It runs."""
        return JsonResponse({"status": "ok"})

    async def ready(self, _request: Request, _request_id: str) -> Response:
        """It takes requests."""
        if self._drain.leaving:
            return JsonResponse({"status": "draining"}, 503)
        return JsonResponse({"status": "ok"})
