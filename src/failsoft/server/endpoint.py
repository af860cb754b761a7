"""Wraps every route: an id, the W3C trace of its headers, an answer in plain words on any error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.client import Failsoft
from failsoft.engine.request import new_request_id
from failsoft.server.auth import PRINCIPAL
from failsoft.server.failures import unexpected
from failsoft.server.problem import Problem
from failsoft.server.render import AnswerResponse
from failsoft.server.service import Service

__all__ = ["Work", "endpoint", "incoming", "locale_of", "trace_where_possible"]


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

_log = logging.getLogger(__name__)


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
            response = AnswerResponse(failure, service.render)
        response.headers.setdefault("x-request-id", request_id)
        return response

    async def identified(request: Request, user: Any = principal) -> Response:
        request.scope[PRINCIPAL] = user
        return await answer(request)

    return answer if principal is None else identified


def locale_of(request: Request, ai: Failsoft) -> str:
    """The language of notices that the request's headers ask for, else the settings'."""
    return ai.notices.choose(request.headers.get("accept-language"), ai.settings.locale)
