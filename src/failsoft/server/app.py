"""The application, the routes to mount in another one, and their ``/openapi.json``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from pydantic import TypeAdapter
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
from failsoft.server.endpoint import Work, endpoint, trace_where_possible
from failsoft.server.health import Health, Probes
from failsoft.server.logging import log_event, log_simulated
from failsoft.server.metrics import MetricsPage
from failsoft.server.middleware import Edge
from failsoft.server.playground import Demo, playground_routes
from failsoft.server.problem import ProblemResponse
from failsoft.server.requests import Requests
from failsoft.server.runs import Desk
from failsoft.server.schema import AnswerBody, FailureBody, HealthBody, ProblemBody, RequestBody
from failsoft.server.service import Service
from failsoft.server.shutdown import drained_by_signals
from failsoft.server.static_files import Page, Web
from failsoft.server.validation import KEY, MILLISECONDS, Limits, Question

__all__ = [
    "create_app",
    "describe_cancel",
    "describe_chat",
    "describe_health",
    "describe_request",
    "describe_resume",
    "describe_stream",
    "router",
]


_JSON, _PROBLEM, _EVENTS = "application/json", "application/problem+json", "text/event-stream"

_STREAM = """Every event is `id: <n>` and `data: <json>`; a comment breaks long silences. Exactly
one terminal event (`done`, `stream_interrupted` or `error`) comes last, then `data: [DONE]`.

| type | fields |
|---|---|
| `start` | request_id |
| `status` | phase, notice, retry_in_seconds |
| `text` | text |
| `restart` | segment |
| `done` | level, tokens, finish, usage?, notice?, suggested_actions?, retry_in_seconds?, model?, \
cache?, links? |
| `stream_interrupted`, `error` | tokens_before_error, chars_before_error, user_message, \
retryable, action, error, error_category, suggested_actions, retry_in_seconds?, links? |
"""


# Of one event, as OpenAPI 3.2 and FastAPI have it.
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "data": {"type": "string", "description": "JSON, or `[DONE]`."},
    },
    "required": ["data"],
}


def describe_chat(asked: dict[str, Any]) -> dict[str, Any]:
    """``POST /api/chat``."""
    answer, failure = _content(_JSON, AnswerBody), _content(_JSON, FailureBody)
    return {
        "summary": "Ask one question, get one answer",
        "operation_id": "chat",
        "openapi_extra": asked,
        "responses": {
            200: {"description": "An answer.", "content": answer},
            **_refusals(),
            413: {
                "description": "Too large.",
                "content": failure | _content(_PROBLEM, ProblemBody),
            },
            422: {
                "description": "It cannot be answered as it is, or a field is wrong.",
                "content": failure | _content(_PROBLEM, ProblemBody),
            },
            503: {"description": "No answer right now.", "content": failure},
        },
    }


def describe_stream(asked: dict[str, Any]) -> dict[str, Any]:
    """``POST /api/chat/stream``."""
    last = _last_event("With a known key: the last event that was read.")
    events = {_EVENTS: {"itemSchema": _EVENT}}
    problem = _content(_PROBLEM, ProblemBody)
    return {
        "summary": "Ask one question, read the answer while it comes",
        "description": _STREAM,
        "operation_id": "chat_stream",
        "openapi_extra": asked | {"parameters": [*asked["parameters"], last]},
        "responses": {
            200: {"description": "The answer's events.", "content": events},
            **_refusals(),
            413: {"description": "Too large.", "content": problem},
            422: {"description": "A field is wrong.", "content": problem},
            503: {
                "description": "The service is restarting.",
                "content": _content(_JSON, FailureBody),
            },
        },
    }


def describe_request() -> dict[str, Any]:
    """``GET /api/requests/{request_id}``."""
    return {
        "summary": "How far a request is, and what there is of its answer",
        "operation_id": "request",
        "openapi_extra": {"parameters": [_path_id()]},
        "responses": _of_request(),
    }


def describe_cancel() -> dict[str, Any]:
    """``DELETE /api/requests/{request_id}``."""
    return {
        "summary": "End a request now; what has ended stays as it ended",
        "operation_id": "cancel_request",
        "openapi_extra": {"parameters": [_path_id()]},
        "responses": _of_request(),
    }


def describe_resume() -> dict[str, Any]:
    """``GET /api/requests/{request_id}/stream``."""
    events = {_EVENTS: {"itemSchema": _EVENT}}
    problem = _content(_PROBLEM, ProblemBody)
    last = _last_event("The last event that was read; none for all.")
    return {
        "summary": "Join the stream of a request, or go on reading it",
        "description": _STREAM,
        "operation_id": "resume_stream",
        "openapi_extra": {"parameters": [_path_id(), last]},
        "responses": {
            200: {"description": "The events after the last one read.", "content": events},
            204: {"description": "There are no more."},
            **{status: _of_request()[status] for status in (401, 404, 503)},
            400: {"description": "A header cannot be read.", "content": problem},
            409: {"description": "It has no stream, or none is kept.", "content": problem},
        },
    }


def _of_request() -> dict[int | str, Any]:
    problem = _content(_PROBLEM, ProblemBody)
    return {
        200: {"description": "As it is now.", "content": _content(_JSON, RequestBody)},
        401: {"description": "A key is needed.", "content": problem},
        404: {"description": "There is no such request of this caller.", "content": problem},
        503: {"description": "The record cannot be read right now.", "content": problem},
    }


def _path_id() -> dict[str, Any]:
    return {
        "name": "request_id",
        "in": "path",
        "required": True,
        "description": "As in `x-request-id` and the `start` event.",
        "schema": {"type": "string"},
    }


def describe_health() -> dict[str, Any]:
    """``GET /api/health/ai``."""
    return {
        "summary": "Whether models answer, from real traffic; calls none",
        "operation_id": "health_ai",
        "responses": {
            200: {"description": "Always.", "content": _content(_JSON, HealthBody)},
            401: {"description": "A key is needed.", "content": _content(_PROBLEM, ProblemBody)},
        },
    }


def _refusals() -> dict[int | str, Any]:
    reasons = {
        400: "The body or a header cannot be read.",
        401: "A key is needed.",
        403: "Failures may not be asked for here.",
        408: "The body did not come in time.",
        415: "The body is not JSON, or it is compressed.",
        429: "Too many requests at a time.",
    }
    content = _content(_PROBLEM, ProblemBody)
    return {status: {"description": why, "content": content} for status, why in reasons.items()}


def _question(limits: Limits, *, names_models: bool) -> dict[str, Any]:
    """The schema of a question to this service: what it refuses is not admitted."""
    schema = dict(_schema(Question))
    fields = dict(schema["properties"])
    fields["history"] = fields["history"] | {"maxItems": limits.history}
    fields["route"] = fields["route"] | {"enum": list(limits.routes)}
    if names_models:
        models = sorted({name for models in limits.routes.values() for name in models})
        fields["model"] = fields["model"] | {"enum": [*models, None]}
    return schema | {"properties": fields}


def _request(limits: Limits, *, names_models: bool) -> dict[str, Any]:
    question = {_JSON: {"schema": _question(limits, names_models=names_models)}}
    return {
        "requestBody": {"required": True, "content": question},
        "parameters": [
            _header(
                "X-Request-Deadline-Ms",
                "string",
                "Milliseconds left, above 0.",
                pattern=f"^(?=.*[1-9]){MILLISECONDS}$",
            ),
            _header("Accept-Language", "string", "The language of notices without a `locale`."),
            _header(
                "Idempotency-Key",
                "string",
                "One for each thing to be done: sent again, it "
                "joins the request or gives its answer again.",
                pattern=f'^(?!""$){KEY}$',
            ),
            _header(
                "X-Simulate-Error",
                "string",
                "What is to go wrong, for developers: `<category|reason>[@target][;rate=0.2]"
                "[;after=5]`.",
            ),
            _header("X-Simulate-Token", "string", "The right to it, where one is needed."),
        ],
    }


def _last_event(description: str) -> dict[str, Any]:
    return _header("Last-Event-ID", "integer", description, minimum=0, maximum=10**15 - 1)


def _header(name: str, kind: str, description: str, **limits: Any) -> dict[str, Any]:
    schema = {"type": kind, **limits}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _content(media_type: str, kind: type) -> dict[str, Any]:
    return {media_type: {"schema": _schema(kind)}}


@cache  # half of the time it takes to make an application, and always the same
def _schema(kind: type) -> Any:
    schema = TypeAdapter(kind).json_schema()
    return _whole(schema, schema.pop("$defs", {}))


def _whole(schema: Any, parts: dict[str, Any]) -> Any:
    """Put the parts where they are referred to: they have no place in the document otherwise."""
    if isinstance(schema, list):
        return [_whole(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _whole(each, parts) for name, each in schema.items()}


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
    desk = _desk(service, demo)
    metrics = MetricsPage(service, desk)
    app = FastAPI(
        title="failsoft",
        version=version("failsoft"),
        description="Answers from AI models that fail soft. Where the service has keys, send one "
        "as `Authorization: Bearer` or `x-api-key`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        lifespan=_closing(ai, metrics),
    )
    app.add_middleware(Edge, drain=service.drain, guard=service.guard)
    app.add_exception_handler(HTTPException, _no_route)
    app.include_router(_routes(service, desk, direct=True))
    web = Web()
    _add_own_routes(app, service, metrics, web)
    _add_playground(app, service, desk, web, demo)
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
    return _routes(service, _desk(service), principal)


def _desk(service: Service, demo: Demo | None = None) -> Desk:
    settings = service.ai.settings
    if demo is not None and demo.log_on_disk:
        settings = replace(settings, redis_url=None)
    return Desk(service, _log(settings))


def _log(settings: Settings) -> RequestLog:
    keep_text, retention = settings.store_text, settings.retention_seconds
    if settings.redis_url:
        return RedisLog(settings.redis_url, store_text=keep_text, retention_seconds=retention)
    folder = Path(settings.data_dir)
    return SqliteLog(folder, store_text=keep_text, retention_seconds=retention)


class _Router(APIRouter):
    """A router that also works where no FastAPI application is around it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await AsyncExitStackMiddleware(super().__call__)(scope, receive, send)


def _routes(
    service: Service, desk: Desk, principal: Any = None, *, direct: bool = False
) -> APIRouter:
    """The routes. Where no application adds its own dependencies to them, they are ``direct``.

    FastAPI's routes then only describe them: what it does around a request that has no dependencies
    takes a fifth of the time to the first word, and 8 KB of every open stream.
    """
    chat, requests, health = Chat(service, desk), Requests(service, desk), Health(service, desk)
    routes = _Router(redirect_slashes=False, lifespan=_draining(service, desk))
    runs: dict[str, dict[str, _Run]] = {}

    def add(method: str, path: str, work: Work, description: dict[str, Any]) -> None:
        run = endpoint(work, ai=service.ai, render=service.render, principal=principal)
        runs.setdefault(path, {})[method] = run
        routes.add_api_route(path, run, methods=[method], response_class=Response, **description)

    asked = _request(chat.limits, names_models=service.ai.settings.server.expose_model)
    add("POST", "/api/chat", chat.answer, describe_chat(asked))
    add("POST", "/api/chat/stream", chat.stream, describe_stream(asked))
    add("GET", "/api/requests/{request_id}", requests.show, describe_request())
    add("GET", "/api/requests/{request_id}/stream", requests.stream, describe_resume())
    add("DELETE", "/api/requests/{request_id}", requests.cancel, describe_cancel())
    add("GET", "/api/health/ai", health.show, describe_health())
    if direct:
        for path, methods in runs.items():
            routes.routes.insert(0, Route(path, _by_method(methods), methods=list(methods)))
    return routes


_Run = Callable[..., Awaitable[Response]]


def _by_method(runs: dict[str, _Run]) -> _Run:
    """One route for all methods of a path, so that 405 lists all of them in ``Allow``."""

    async def run(request: Request) -> Response:
        return await runs["GET" if request.method == "HEAD" else request.method](request)

    return run


def _add_own_routes(app: FastAPI, service: Service, metrics: MetricsPage, web: Web) -> None:
    probes = Probes(service.drain)
    works = {"/livez": probes.live, "/readyz": probes.ready, "/metrics": metrics.show}
    works |= {"/": Page().show, "/web/{path:path}": web.show}
    for path, work in works.items():
        run = endpoint(work, ai=service.ai, render=service.render)
        app.add_api_route(path, run, methods=["GET", "HEAD"], include_in_schema=False)


def _add_playground(
    app: FastAPI, service: Service, desk: Desk, web: Web, demo: Demo | None
) -> None:
    if service.ai.settings.serves_playground:
        for method, path, work in playground_routes(service, desk, web, demo=demo):
            run = endpoint(work, ai=service.ai, render=service.render)
            app.add_api_route(path, run, methods=[method], include_in_schema=False)


async def _no_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    found = error.status_code != HTTPStatus.NOT_FOUND
    detail = "This address takes other methods." if found else "There is nothing at this address."
    return ProblemResponse(error.status_code, detail, headers=error.headers)


def _closing(ai: Failsoft, metrics: MetricsPage) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with ai, metrics.shared():
            yield

    return lifespan


def _draining(service: Service, desk: Desk) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        desk.start()
        service.simulations.announce()
        with drained_by_signals(service.drain, service.ai.settings.server):
            async with watching(service, desk):
                yield

    return lifespan
