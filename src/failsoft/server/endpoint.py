"""What every route has in common: an id, and an answer in plain words whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.call import new_request_id
from failsoft.engine.client import Failsoft
from failsoft.server.caller import PRINCIPAL
from failsoft.server.failures import unexpected
from failsoft.server.problem import Problem
from failsoft.server.render import AnswerResponse, Render
from failsoft.server.tracing import incoming

__all__ = ["Work", "endpoint", "locale_of"]

Work = Callable[[Request, str], Awaitable[Response]]

_log = logging.getLogger(__name__)


def endpoint(
    work: Work, *, ai: Failsoft, render: Render, principal: Any = None
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
            failure = unexpected(ai, request_id=request_id, locale=locale_of(request, ai))
            response = AnswerResponse(failure, render)
        response.headers.setdefault("x-request-id", request_id)
        return response

    async def identified(request: Request, user: Any = principal) -> Response:
        request.scope[PRINCIPAL] = user
        return await answer(request)

    return answer if principal is None else identified


def locale_of(request: Request, ai: Failsoft) -> str:
    """The language of notices that the request's headers ask for, else the settings'."""
    return ai.notices.choose(request.headers.get("accept-language"), ai.settings.locale)
