"""The application, and the routes to mount in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from failsoft.config.settings import Settings
from failsoft.engine.client import Failsoft
from failsoft.request_log.contract import RequestLog
from failsoft.request_log.redis_log import RedisLog
from failsoft.request_log.sqlite_log import SqliteLog
from failsoft.server.alerting import watching
from failsoft.server.chat import Chat
from failsoft.server.logging import log_event, log_simulated
from failsoft.server.metrics_page import MetricsPage
from failsoft.server.middleware import Edge, by_method, endpoint, trace_where_possible
from failsoft.server.openapi import (
    describe_cancel,
    describe_chat,
    describe_health,
    describe_question,
    describe_request,
    describe_resume,
    describe_stream,
)
from failsoft.server.playground import Demo, playground_routes
from failsoft.server.probes import Health, Probes
from failsoft.server.problem import ProblemResponse
from failsoft.server.requests import Requests
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Service, drained_by_signals
from failsoft.server.static_files import Page, Web

__all__ = ["create_app", "router"]


# FastAPI's own telemetry would record exceptions with whatever text they hold.
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def create_app(
    ai: Failsoft | None = None,
    settings: Settings | None = None,
    *,
    demo: Demo | None = None,
) -> FastAPI:
    """The whole service.

    It owns ``ai`` and closes it at its end; without one it makes its own from ``settings``, or
    from ``failsoft.toml`` and the environment. Under uvicorn, SIGTERM lets open requests finish
    for ``server.drain_seconds``. ``demo`` is what the playground may break. Raises
    :class:`~failsoft.errors.SettingError`.
    """
    if ai is not None and settings is not None:
        raise TypeError("give create_app either ai or settings: ai has its own settings")
    ai = ai or Failsoft(settings)
    ai.subscribe(log_simulated if ai.settings.simulate_error else log_event)
    trace_where_possible(ai)
    service = Service.of(ai)
    service.simulations.subscribe(log_simulated)
    registry = _registry(service, demo)
    metrics = MetricsPage(service, registry)
    app = FastAPI(
        title="failsoft",
        version=version("failsoft"),
        description="Answers from AI models that fail soft. Where the service has keys, send one "
        "as `Authorization: Bearer` or `x-api-key`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        lifespan=_closing(service, registry, metrics),
    )
    app.add_middleware(Edge, drain=service.drain, guard=service.guard)
    app.add_exception_handler(HTTPException, _no_route)
    _add_routes(app, _routes(service, registry))
    web = Web()
    _add_own_routes(app, service, metrics, web)
    _add_playground(app, service, registry, web, demo)
    return app


def router(ai: Failsoft, *, principal: Any = None) -> APIRouter:
    """The chat, request and health routes, for a FastAPI or Starlette application.

        app.include_router(failsoft.server.router(ai, principal=Depends(signed_in_user_id)))
        Starlette(routes=[Mount("/assistant", failsoft.server.router(ai))])

    ``principal`` is a dependency that gives the id of the user, a ``str`` or an ``int``: requests,
    streams and keys of one user are hidden from all others. The application owns ``ai``, and closes
    it. API keys are asked for where the settings have any. In a FastAPI application under uvicorn,
    SIGTERM first refuses new requests here and lets open ones finish, for ``server.drain_seconds``.
    """
    service = Service.of(ai)
    registry = _registry(service)
    return _described(_routes(service, registry, principal), lifespan=_draining(service, registry))


def _registry(service: Service, demo: Demo | None = None) -> RunRegistry:
    settings = service.ai.settings
    if demo is not None and demo.log_on_disk:
        settings = replace(settings, redis_url=None)
    return RunRegistry(service, _log(settings))


def _log(settings: Settings) -> RequestLog:
    keep_text, retention = settings.store_text, settings.retention_seconds
    if settings.redis_url:
        return RedisLog(settings.redis_url, store_text=keep_text, retention_seconds=retention)
    folder = Path(settings.data_dir)
    return SqliteLog(folder, store_text=keep_text, retention_seconds=retention)


_Run = Callable[..., Awaitable[Response]]


class _Router(APIRouter):
    """A router that also works where no FastAPI application is around it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await AsyncExitStackMiddleware(super().__call__)(scope, receive, send)


class _Route(NamedTuple):
    """One route: what runs, and how ``/openapi.json`` describes it."""

    method: str
    path: str
    run: _Run
    description: dict[str, Any]


def _routes(service: Service, registry: RunRegistry, principal: Any = None) -> list[_Route]:
    chat, requests, health = (
        Chat(service, registry),
        Requests(service, registry),
        Health(service, registry),
    )
    asked = describe_question(chat.limits, names_models=service.ai.settings.server.expose_model)
    return [
        _Route(method, path, endpoint(work, service=service, principal=principal), description)
        for method, path, work, description in (
            ("POST", "/api/chat", chat.answer, describe_chat(asked)),
            ("POST", "/api/chat/stream", chat.stream, describe_stream(asked)),
            ("GET", "/api/requests/{request_id}", requests.show, describe_request()),
            ("GET", "/api/requests/{request_id}/stream", requests.stream, describe_resume()),
            ("DELETE", "/api/requests/{request_id}", requests.cancel, describe_cancel()),
            ("GET", "/api/health/ai", health.show, describe_health()),
        )
    ]


def _described(routes: Iterable[_Route], lifespan: Any = None) -> APIRouter:
    """The routes as FastAPI's, which may add dependencies to them and describes them."""
    router = _Router(redirect_slashes=False, lifespan=lifespan)
    for method, path, run, description in routes:
        router.add_api_route(path, run, methods=[method], response_class=Response, **description)
    return router


def _add_routes(app: FastAPI, routes: Sequence[_Route]) -> None:
    """Add the routes as Starlette's, which FastAPI then only describes.

    What it does around a request that has no dependencies takes a fifth of the time to the first
    word, and 8 KB of every open stream.
    """
    runs: dict[str, dict[str, _Run]] = {}
    for method, path, run, _ in routes:
        runs.setdefault(path, {})[method] = run
    for path, methods in runs.items():
        app.router.routes.append(Route(path, by_method(methods), methods=list(methods)))

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=_described(routes).routes,
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's guide has it


def _add_own_routes(app: FastAPI, service: Service, metrics: MetricsPage, web: Web) -> None:
    probes = Probes(service.drain)
    works = {"/livez": probes.live, "/readyz": probes.ready, "/metrics": metrics.show}
    works |= {"/": Page().show, "/web/{path:path}": web.show}
    for path, work in works.items():
        run = endpoint(work, service=service)
        app.add_api_route(path, run, methods=["GET", "HEAD"], include_in_schema=False)


def _add_playground(
    app: FastAPI, service: Service, registry: RunRegistry, web: Web, demo: Demo | None
) -> None:
    if service.ai.settings.serves_playground:
        for method, path, work in playground_routes(service, registry, web, demo=demo):
            run = endpoint(work, service=service)
            app.add_api_route(path, run, methods=[method], include_in_schema=False)


async def _no_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    found = error.status_code != HTTPStatus.NOT_FOUND
    detail = "This address takes other methods." if found else "There is nothing at this address."
    return ProblemResponse(error.status_code, detail, headers=error.headers)


def _closing(service: Service, registry: RunRegistry, metrics: MetricsPage) -> Any:
    draining = _draining(service, registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.ai, metrics.shared(), draining(app):
            yield

    return lifespan


def _draining(service: Service, registry: RunRegistry) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        registry.start()
        service.simulations.announce()
        with drained_by_signals(service.drain, service.ai.settings.server):
            async with watching(service, registry):
                yield

    return lifespan
