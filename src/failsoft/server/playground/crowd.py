"""Many people who ask at the same time: a browser would let only a few through at once."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from failsoft.engine.client import Failsoft
from failsoft.server.body import GoneError, attend, read_json
from failsoft.server.playground.access import Access
from failsoft.server.problem import Problem
from failsoft.server.render import JsonResponse
from failsoft.server.service import Service

__all__ = ["MOST_OTHERS", "Others"]

MOST_OTHERS: Final = 50

_BODY_BYTES, _BODY_SECONDS = 256, 5.0
_CLIENT_GONE = 499
_QUESTION = "What is special about case {id}?"  # each another one: no saved answer serves it


class Others:
    """``POST /playground/others``: so many questions to the engine, all at once.

    They are in no request log, as they are never resumed.
    """

    def __init__(self, service: Service, access: Access) -> None:
        self._ai: Failsoft = service.ai
        self._drain = service.drain
        self._access = access

    async def ask(self, request: Request, request_id: str) -> Response:
        """Their requests' ids, once all have ended."""
        self._access.check(request)
        many = _many(await read_json(request, limit=_BODY_BYTES, seconds=_BODY_SECONDS))
        with self._drain.open():
            try:
                ids = await attend(self._all(many, request_id), request.receive)
            except GoneError:
                return Response(status_code=_CLIENT_GONE)
        return JsonResponse({"request_ids": ids})

    async def _all(self, many: int, request_id: str) -> list[str]:
        questions = (_QUESTION.format(id=f"{request_id[-8:]}-{n}") for n in range(many))
        asked = (self._ai.ask(question, max_tokens=256) for question in questions)
        return [answer.request_id for answer in await asyncio.gather(*asked)]


def _many(body: Any) -> int:
    many = body.get("count") if isinstance(body, dict) and set(body) == {"count"} else None
    if not isinstance(many, int) or isinstance(many, bool) or not 1 <= many <= MOST_OTHERS:
        problem = f'must be like {{"count": 20}}, a whole number from 1 to {MOST_OTHERS}'
        raise Problem.of_field(422, "body", problem)
    return many
