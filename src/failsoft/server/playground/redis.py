"""The Redis of the demo, cut off from the page."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from failsoft.server.body import read_json
from failsoft.server.playground.access import Access
from failsoft.server.playground.demo import Demo
from failsoft.server.problem import Problem
from failsoft.server.wire import JsonResponse

__all__ = ["RedisSwitch"]

_BODY_BYTES, _BODY_SECONDS = 256, 5.0


class RedisSwitch:
    """``PUT /playground/redis``: ``{"off": true}`` and back."""

    def __init__(self, demo: Demo, access: Access) -> None:
        self._cut = demo.cut_redis
        self._problem = demo.no_redis
        self._access = access
        self._off = False

    @property
    def told(self) -> dict[str, Any]:
        """Whether it is off, and why it cannot be."""
        return {"off": self._off, "problem": "" if self._cut else self._problem}

    async def change(self, request: Request, _request_id: str) -> Response:
        """Cut the service off from it, or let it through."""
        self._access.check(request)
        off = _off(await read_json(request, limit=_BODY_BYTES, seconds=_BODY_SECONDS))
        if self._cut is None:
            raise Problem(409, self._problem)
        await self.turn(off=off)
        return JsonResponse(self.told)

    async def turn(self, *, off: bool) -> None:
        """The same; without one that can be cut off nothing is done."""
        if self._cut is not None:
            await self._cut(off)
            self._off = off


def _off(body: Any) -> bool:
    off = body.get("off") if isinstance(body, dict) and set(body) == {"off"} else None
    if not isinstance(off, bool):
        raise Problem.of_field(422, "body", 'must be {"off": true} or {"off": false}')
    return off
