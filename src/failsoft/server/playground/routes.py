"""The routes under ``/playground``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.endpoint import Work
from failsoft.server.notices_page import NoticesPage
from failsoft.server.playground.access import Access
from failsoft.server.playground.controls import Controls
from failsoft.server.playground.feed import Feed
from failsoft.server.playground.others import Others
from failsoft.server.playground.sdk import BareSdk
from failsoft.server.service import Service
from failsoft.server.stream import EventStream
from failsoft.server.web import Web
from failsoft.server.wire import JsonResponse

__all__ = ["Route", "playground_routes"]

Route = tuple[str, str, Work]
"""Method, path, and what is done."""

# The page comes back by itself.
_WATCH_SECONDS = 3600.0


def playground_routes(service: Service, web: Web, *, simulator: str | None) -> Iterator[Route]:
    """The routes; those that break things only with the address of the demo's ``simulator``."""
    access = Access(service)
    sdk = None if simulator is None else BareSdk(service, access, simulator)
    looking = _Looking(service, access, web, sdk=sdk)
    yield "GET", "/playground", looking.page
    yield "GET", "/playground/setup", looking.setup
    yield "GET", "/playground/events", looking.events
    yield "GET", "/playground/notices", looking.notices
    if simulator is None or sdk is None:
        return
    controls = Controls(service, access, simulator)
    yield "GET", "/playground/simulator", controls.show
    yield "DELETE", "/playground/simulator", controls.restore
    yield "PUT", "/playground/simulator/{model:path}", controls.change
    yield "POST", "/playground/others", Others(service, access).ask
    yield "POST", "/playground/sdk", sdk.ask


class _Looking:
    """The page, and what it is told."""

    def __init__(self, service: Service, access: Access, web: Web, *, sdk: BareSdk | None) -> None:
        self._service = service
        self._access = access
        self._web = web
        self._sdk = sdk
        self._notices = NoticesPage(service.ai)
        self._feed = Feed(service.ai.health)
        service.ai.subscribe(self._feed)
        service.drain.on_begin(self._feed.close)

    async def page(self, request: Request, _request_id: str) -> Response:
        """The page."""
        self._access.check(request)
        return self._web.file("playground/index.html", request)

    async def notices(self, request: Request, request_id: str) -> Response:
        """Every notice in every language, for those who write them."""
        self._access.check(request)
        return await self._notices.show(request, request_id)

    async def setup(self, request: Request, _request_id: str) -> Response:
        """What there is to see here, and what can be changed."""
        self._access.check(request)
        settings = self._service.ai.settings
        told: dict[str, Any] = {
            "health": self._service.ai.health(),
            "deadline_seconds": settings.effective_stream_deadline_seconds,
            "simulator": self._sdk is not None,
            "sdk": None if self._sdk is None else self._sdk.name,
            "redis": settings.redis_url is not None,
        }
        return JsonResponse(told)

    async def events(self, request: Request, request_id: str) -> Response:
        """What happens, from now on."""
        self._access.check(request)
        with ExitStack() as held:
            viewer = held.enter_context(self._feed.viewer())
            return EventStream(
                viewer,
                request_id=request_id,
                heartbeat_seconds=self._service.ai.settings.server.heartbeat_seconds,
                limit_seconds=_WATCH_SECONDS,
                held=held.pop_all(),
                broken=lambda _: b"",
            )
