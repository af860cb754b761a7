"""Wraps every route, and the whole application.

Around a route: an id, the W3C trace of its headers, an answer in plain words on any error. Around
everything: the headers of every reply, and its line in the log.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failsoft.classify.redact import redact
from failsoft.engine.client import Failsoft
from failsoft.engine.request import new_request_id
from failsoft.server.auth import PRINCIPAL, Guard
from failsoft.server.failures import unexpected
from failsoft.server.problem import Problem
from failsoft.server.render import AnswerResponse
from failsoft.server.service import Drain, Service

__all__ = ["Edge", "Work", "by_method", "endpoint", "incoming", "locale_of", "trace_where_possible"]


_log = logging.getLogger(__name__)

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_PROBES = ("/livez", "/readyz")
_REQUEST_ID = re.compile("req_[0-9a-f]{32}")
_SHORT = 9  # characters; no key is so short, and most parts of a path are
_PATH_LOGGED = 200  # characters; the service's own have at most 60


class Edge:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp, *, drain: Drain, guard: Guard) -> None:
        self._app = app
        self._drain = drain
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its reply back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        line: dict[str, object] = {"method": scope["method"], "path": _told(scope["path"])}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._drain.leaving:  # or the next request would find no server
                    headers["connection"] = "close"
                line["status"] = message["status"]
                if "x-request-id" not in headers:
                    headers["x-request-id"] = new_request_id()
                line["request_id"] = headers["x-request-id"]
            await send(message)

        try:
            await self._checked(scope)(scope, receive, sending)
        finally:
            line["duration_ms"] = round((time.perf_counter() - began) * 1000, 1)
            level = logging.DEBUG if scope["path"] in _PROBES else logging.INFO
            _log.log(level, "http", extra={"fields": line})

    def _checked(self, scope: Scope) -> ASGIApp:
        """What answers: the application, or why it does not."""
        if scope["path"] in _PROBES:
            return self._app
        try:
            self._guard.check_site(Headers(scope=scope))
        except Problem as problem:
            return problem.response()
        return self._app


def _told(path: str) -> str:
    """A path as it may be logged: people put keys into addresses, and anybody sends long ones."""
    parts = path[:_PATH_LOGGED].split("/")
    return "/".join(redact(part) if _may_be_key(part) else part for part in parts)


def _may_be_key(part: str) -> bool:
    return len(part) > _SHORT and not _REQUEST_ID.fullmatch(part)


def trace_where_possible(ai: Failsoft) -> None:
    """Make spans where the settings want them and the extra ``otel`` is installed."""
    if ai.settings.traces and find_spec("opentelemetry") is not None:
        ai.trace()


@contextmanager
def incoming(headers: Mapping[str, str]) -> Iterator[None]:
    """Within it spans belong to the caller's, unless the application has begun one of its own."""
    if "traceparent" not in headers or find_spec("opentelemetry") is None:
        yield
        return
    from opentelemetry import context, propagate, trace  # noqa: PLC0415 - an extra

    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


Work = Callable[[Request, str], Awaitable[Response]]


def endpoint(
    work: Work, *, service: Service, principal: Any = None
) -> Callable[..., Awaitable[Response]]:
    """The route's own function. ``work`` is given the request and its fresh id.

    ``principal`` is a dependency (``Depends(…)``) that gives the user's id.
    A :class:`~failsoft.server.problem.Problem` becomes its reply; anything else that is raised is
    logged with the id and becomes the notice ``unknown``.
    """

    async def answer(request: Request) -> Response:
        request_id = new_request_id()
        try:
            with incoming(request.headers):
                response = await work(request, request_id)
        except Problem as problem:
            response = problem.response()
        except Exception:  # noqa: BLE001 - whatever it is, a person is waiting for an answer
            _log.exception("request_failed", extra={"fields": {"request_id": request_id}})
            locale = locale_of(request, service.ai)
            failure = unexpected(service.ai, request_id=request_id, locale=locale)
            response = AnswerResponse(service.render.result(failure), request_id)
        response.headers.setdefault("x-request-id", request_id)
        return response

    async def identified(request: Request, user: Any = principal) -> Response:
        request.scope[PRINCIPAL] = user
        return await answer(request)

    return answer if principal is None else identified


def by_method(
    runs: Mapping[str, Callable[..., Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    """One route for all methods of a path, so that 405 lists all of them in ``Allow``."""

    async def run(request: Request) -> Response:
        return await runs["GET" if request.method == "HEAD" else request.method](request)

    return run


def locale_of(request: Request, ai: Failsoft) -> str:
    """The language of notices that the request's headers ask for, else the settings'."""
    return ai.notices.choose(request.headers.get("accept-language"), ai.settings.locale)
