"""The routes under ``/playground``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.middleware import Work
from failsoft.server.playground.access import Access, Demo
from failsoft.server.playground.bare_sdk import BareSdk
from failsoft.server.playground.controls import Controls, RedisSwitch
from failsoft.server.playground.crowd import Others
from failsoft.server.playground.feed import Feed
from failsoft.server.playground.notices_page import NoticesPage
from failsoft.server.render import JsonResponse
from failsoft.server.responses import EventStream
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Service
from failsoft.server.static_files import Web

__all__ = ["Route", "playground_routes"]

Route = tuple[str, str, Work]
"""Method, path, and what is done."""

# The page comes back by itself.
_WATCH_SECONDS = 3600.0


def playground_routes(
    service: Service, registry: RunRegistry, web: Web, *, demo: Demo | None
) -> Iterator[Route]:
    """The routes; those that break things only with what the ``demo`` runs."""
    access = Access(service)
    breaking = None if demo is None else _Breaking(service, access, demo)
    looking = _Looking(service, registry, access, web, breaking=breaking)
    yield "GET", "/playground", looking.page
    yield "GET", "/playground/setup", looking.setup
    yield "GET", "/playground/events", looking.events
    yield "GET", "/playground/notices", looking.notices
    if breaking is not None:
        yield from breaking.routes()


class _Breaking:
    """What only the demo has."""

    def __init__(self, service: Service, access: Access, demo: Demo) -> None:
        self.redis = RedisSwitch(demo, access)
        self.sdk = BareSdk(service, access, demo.simulator)
        self._controls = Controls(service, access, demo, self.redis)
        self._others = Others(service, access)

    def routes(self) -> Iterator[Route]:
        yield "GET", "/playground/simulator", self._controls.show
        yield "DELETE", "/playground/simulator", self._controls.restore
        yield "PUT", "/playground/simulator/{model:path}", self._controls.change
        yield "PUT", "/playground/redis", self.redis.change
        yield "POST", "/playground/others", self._others.ask
        yield "POST", "/playground/sdk", self.sdk.ask


class _Looking:
    """The page, and its feed."""

    def __init__(
        self,
        service: Service,
        registry: RunRegistry,
        access: Access,
        web: Web,
        *,
        breaking: _Breaking | None,
    ) -> None:
        self._service = service
        self._registry = registry
        self._access = access
        self._web = web
        self._breaking = breaking
        self._notices = NoticesPage(service.ai)

    @cached_property
    def _feed(self) -> Feed:
        """Made for the first viewer: before that no event needs to come here."""
        feed = Feed(self._registry.health)
        self._service.ai.subscribe(feed)
        self._service.drain.on_begin(feed.close)
        return feed

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
        breaking = self._breaking
        told: dict[str, Any] = {
            "health": self._registry.health(),
            "deadline_seconds": settings.effective_stream_deadline_seconds,
            "simulator": breaking is not None,
            "sdk": None if breaking is None else breaking.sdk.name,
            "redis": None if breaking is None else breaking.redis.told,
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
