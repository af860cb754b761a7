"""The application and the routes to mount in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from failsoft.config.settings import Settings
from failsoft.engine.client import Failsoft
from failsoft.server.chat import Chat
from failsoft.server.describe import describe_chat, describe_health, describe_stream
from failsoft.server.drain import Drain
from failsoft.server.edge import Edge
from failsoft.server.endpoint import Work, endpoint
from failsoft.server.guard import Guard
from failsoft.server.health import Health, Probes
from failsoft.server.log import log_event
from failsoft.server.page import Page
from failsoft.server.problem import ProblemResponse
from failsoft.server.render import Render
from failsoft.server.signals import drained_by_signals

__all__ = ["create_app", "router"]

# FastAPI's own telemetry would record exceptions with whatever text they hold.
_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def create_app(ai: Failsoft | None = None, settings: Settings | None = None) -> FastAPI:
    """The whole service.

    It owns ``ai`` and closes it at its end; without one it makes its own from ``settings``, or
    from ``failsoft.toml`` and the environment. Under uvicorn, SIGTERM lets open requests finish
    for ``server.drain_seconds``. Raises :class:`~failsoft.errors.SettingError`.
    """
    if ai is not None and settings is not None:
        raise TypeError("give create_app either ai or settings: ai has its own settings")
    ai = ai or Failsoft(settings)
    ai.subscribe(log_event)
    drain = Drain()
    app = FastAPI(
        title="failsoft",
        version=version("failsoft"),
        description="Answers from AI models that fail soft. Where the service has keys, send one "
        "as `Authorization: Bearer` or `x-api-key`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        lifespan=_lifespan(ai, drain),
    )
    app.add_middleware(Edge)
    app.add_exception_handler(HTTPException, _no_route)
    app.include_router(_chat_routes(ai, drain))
    _add_own_routes(app, ai, drain)
    return app


def router(ai: Failsoft) -> APIRouter:
    """The chat and health routes, for a FastAPI or Starlette application.

        app.include_router(failsoft.server.router(ai), dependencies=[Depends(signed_in)])
        Starlette(routes=[Mount("/assistant", failsoft.server.router(ai))])

    The application owns ``ai``, and closes it. API keys are asked for where the settings have any.
    """
    return _chat_routes(ai, Drain())


class _Router(APIRouter):
    """A router that also works where no FastAPI application is around it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await AsyncExitStackMiddleware(super().__call__)(scope, receive, send)


def _chat_routes(ai: Failsoft, drain: Drain) -> APIRouter:
    render, guard = Render(ai.settings), Guard(ai.settings)
    chat = Chat(ai, guard=guard, drain=drain, render=render)
    health = Health(ai, guard)
    routes = _Router(redirect_slashes=False)

    def add(method: str, path: str, work: Work, description: dict[str, Any]) -> None:
        run = endpoint(work, ai=ai, render=render)
        routes.add_api_route(path, run, methods=[method], **description)

    add("POST", "/api/chat", chat.answer, describe_chat())
    add("POST", "/api/chat/stream", chat.stream, describe_stream())
    add("GET", "/api/health/ai", health.show, describe_health())
    return routes


def _add_own_routes(app: FastAPI, ai: Failsoft, drain: Drain) -> None:
    render, probes = Render(ai.settings), Probes(drain)
    works = {"/livez": probes.live, "/readyz": probes.ready, "/": Page().show}
    for path, work in works.items():
        run = endpoint(work, ai=ai, render=render)
        app.add_api_route(path, run, methods=["GET", "HEAD"], include_in_schema=False)


async def _no_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    found = error.status_code != HTTPStatus.NOT_FOUND
    detail = "This address takes other methods." if found else "There is nothing at this address."
    return ProblemResponse(error.status_code, detail, headers=error.headers)


def _lifespan(ai: Failsoft, drain: Drain) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with ai:
            with drained_by_signals(drain, ai.settings.server.drain_seconds):
                yield

    return lifespan
