"""``POST /api/chat`` and ``POST /api/chat/stream``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.client import Failsoft
from failsoft.server.attend import CutError, GoneError, attend, hang_up
from failsoft.server.body import read_json
from failsoft.server.drain import Drain
from failsoft.server.endpoint import locale_of
from failsoft.server.failures import draining
from failsoft.server.guard import Guard
from failsoft.server.question import Limits, read_deadline, read_question
from failsoft.server.render import AnswerResponse, Render
from failsoft.server.stream import EventStream

__all__ = ["Chat"]

_MAX_TOKENS = 2048
_STREAM_MAX_TOKENS = 4096
_CLIENT_GONE = 499  # nobody reads it; the access log shows it as others do

_Give = Callable[[Request, dict[str, Any], ExitStack], Awaitable[Response]]


class Chat:
    """The two routes. Who may not ask is refused before what is asked is read."""

    def __init__(self, ai: Failsoft, *, guard: Guard, drain: Drain, render: Render) -> None:
        self._ai = ai
        self._guard = guard
        self._drain = drain
        self._render = render
        self._limits = Limits(history=ai.settings.server.history_limit, models=_models(ai))

    async def answer(self, request: Request, request_id: str) -> Response:
        """One question, one JSON answer."""
        return await self._admitted(request, request_id, _MAX_TOKENS, self._whole)

    async def stream(self, request: Request, request_id: str) -> Response:
        """One question, its answer as events."""
        return await self._admitted(request, request_id, _STREAM_MAX_TOKENS, self._streamed)

    async def _admitted(
        self, request: Request, request_id: str, max_tokens: int, give: _Give
    ) -> Response:
        tenant = self._guard.tenant(request.headers)
        with ExitStack() as held:
            held.enter_context(self._guard.place(tenant))
            try:
                arguments = await self._arguments(request, max_tokens)
                arguments |= {"request_id": request_id, "principal": tenant}
                return await give(request, arguments, held)
            except GoneError:
                return Response(status_code=_CLIENT_GONE)
            except CutError:
                locale = locale_of(request, self._ai)
                failure = draining(self._ai, request_id=request_id, locale=locale)
                return AnswerResponse(failure, self._render)

    async def _whole(
        self, request: Request, arguments: dict[str, Any], _held: ExitStack
    ) -> Response:
        work = self._ai.ask(**arguments)
        answer = await attend(work, drain=self._drain, leaving=(hang_up(request.receive),))
        return AnswerResponse(answer, self._render)

    async def _streamed(
        self, _request: Request, arguments: dict[str, Any], held: ExitStack
    ) -> Response:
        return EventStream(
            self._ai.stream(**arguments),
            ai=self._ai,
            render=self._render,
            drain=self._drain,
            locale=arguments["locale"],
            held=held.pop_all(),
        )

    async def _arguments(self, request: Request, max_tokens: int) -> dict[str, Any]:
        self._refuse_at_the_end()
        timeout = read_deadline(request.headers.get("x-request-deadline-ms"))
        server = self._ai.settings.server
        data = await read_json(
            request, limit=server.body_limit_bytes, seconds=server.body_timeout_seconds
        )
        question = read_question(data, self._limits)
        self._refuse_at_the_end()
        return {
            "message": question.message,
            "history": [turn.model_dump() for turn in question.history],
            "system": question.system,
            "model": question.model,
            "max_tokens": question.max_tokens or max_tokens,
            "route": question.route,
            "timeout": timeout,
            "locale": question.locale or locale_of(request, self._ai),
        }

    def _refuse_at_the_end(self) -> None:
        if self._drain.began:
            raise CutError


def _models(ai: Failsoft) -> Mapping[str, str]:
    """The names a caller may use: a target's id, or its model's name alone (the first's of it)."""
    ids = [target["target"] for target in ai.health()["targets"]]
    short = {target.partition("/")[2]: target for target in reversed(ids)}
    return short | {target: target for target in ids}
