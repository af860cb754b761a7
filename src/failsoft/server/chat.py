"""``POST /api/chat`` and ``POST /api/chat/stream``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.faults import Simulation
from failsoft.policy.target import Target
from failsoft.request_log.contract import Intent
from failsoft.server.auth import Identity, caller_of
from failsoft.server.body import GoneError, read_json
from failsoft.server.failures import draining
from failsoft.server.middleware import locale_of
from failsoft.server.render import AnswerResponse
from failsoft.server.responses import Replies
from failsoft.server.runs import RunRegistry
from failsoft.server.service import Service
from failsoft.server.validation import (
    Question,
    QuestionLimits,
    last_event_id,
    read_headers,
    read_question,
)

__all__ = ["Chat"]

_MAX_TOKENS = 2048
_STREAM_MAX_TOKENS = 4096
_CLIENT_GONE = 499  # it is not read; the access log shows it as others do


class Chat:
    """The two routes. They authenticate before they read the body."""

    def __init__(self, service: Service, registry: RunRegistry) -> None:
        self._service = service
        self._registry = registry
        self._replies = Replies(service, registry)
        server = service.ai.settings.server
        self.limits = QuestionLimits(
            history=server.history_limit, routes=_models_of(service.ai.routes)
        )

    async def answer(self, request: Request, request_id: str) -> Response:
        """One question, one JSON answer."""
        return await self._admitted(request, request_id, stream=False)

    async def stream(self, request: Request, request_id: str) -> Response:
        """One question, its answer as events."""
        return await self._admitted(request, request_id, stream=True)

    async def _admitted(self, request: Request, request_id: str, *, stream: bool) -> Response:
        service = self._service
        caller = caller_of(request, service.guard)
        with ExitStack() as held:
            held.enter_context(service.guard.place(caller.tenant))
            held.enter_context(service.drain.open())
            take = held.enter_context(service.bodies.held())
            try:
                simulation = service.simulations.asked(request, caller.tenant)
                intent, arguments = await self._read(
                    request, request_id, caller, stream=stream, simulation=simulation, take=take
                )
                after = last_event_id(request.headers) if intent.key is not None else 0
                ai = service.simulations.engine(simulation) if simulation else service.ai
                found, started = await self._registry.open(intent, arguments, ai)
                if stream:
                    seen = 0 if started else after  # the events of a run of its own are all new
                    reply = self._replies.stream(
                        found, held.pop_all(), after=seen, replayed=not started
                    )
                else:
                    again = not started
                    reply = await self._replies.whole(found, request.receive, replayed=again)
            except GoneError:
                return Response(status_code=_CLIENT_GONE)
            except _EndingError:
                locale = locale_of(request, service.ai)
                failure = draining(service.ai, request_id=request_id, locale=locale)
                return AnswerResponse(service.render.result(failure), request_id)
            if intent.key is not None and not self._registry.protects(found):
                reply.headers["idempotency-status"] = "unprotected"
            return reply

    async def _read(
        self,
        request: Request,
        request_id: str,
        caller: Identity,
        *,
        stream: bool,
        simulation: Simulation | None,
        take: Callable[[int], None],
    ) -> tuple[Intent, dict[str, Any]]:
        _refuse(when=self._service.drain.began)
        ai, server = self._service.ai, self._service.ai.settings.server
        key, timeout = read_headers(request.headers)
        data = await read_json(
            request,
            limit=server.body_limit_bytes,
            seconds=server.body_timeout_seconds,
            take=take,
        )
        question = read_question(data, self.limits)
        _refuse(when=self._service.drain.cutting)
        locale = question.locale or locale_of(request, ai)
        intent = Intent(
            id=request_id,
            scope=caller.scope,
            key=key,
            fingerprint=_fingerprint_of(data, stream=stream, simulated=str(simulation or "")),
            stream=stream,
            route=question.route,
            locale=locale,
        )
        return intent, _arguments(question, caller, timeout, locale, stream=stream)


def _fingerprint_of(data: Any, *, stream: bool, simulated: str = "") -> bytes:
    """Equal for bodies that say the same, however they are spaced and their fields are ordered.

    ``simulated`` is what is to go wrong on purpose: another request than one that is to go well.
    """
    parts = [stream, data, simulated] if simulated else [stream, data]
    said = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


def _arguments(
    question: Question, caller: Identity, timeout: float | None, locale: str, *, stream: bool
) -> dict[str, Any]:
    """What the engine is called with."""
    return {
        "message": question.message,
        "history": [turn.model_dump() for turn in question.history],
        "system": question.system,
        "model": question.model,
        "max_tokens": question.max_tokens or (_STREAM_MAX_TOKENS if stream else _MAX_TOKENS),
        "route": question.route,
        "timeout": timeout,
        "locale": locale,
        "principal": caller.user,
        "tenant": caller.tenant,
    }


class _EndingError(Exception):
    """The process ends and takes nothing new."""


def _refuse(*, when: bool) -> None:
    if when:
        raise _EndingError


def _models_of(routes: Mapping[str, Sequence[Target]]) -> dict[str, dict[str, str]]:
    """What a caller may call the models of each route: the target's id, or its model's name.

    Where two providers have a model of one name, the name is the first's.
    """
    return {
        route: {target.model: target.id for target in reversed(targets)}
        | {target.id: target.id for target in targets}
        for route, targets in routes.items()
    }
