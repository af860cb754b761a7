"""Sets from the page what goes wrong in the demo: the simulator's faults, and its Redis cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
from starlette.requests import Request
from starlette.responses import Response

from failsoft.errors import SettingError
from failsoft.faults.fault_grammar import format_fault, parse_fault
from failsoft.server.body import read_json, shown_name
from failsoft.server.playground.access import Access, Demo
from failsoft.server.problem import Problem
from failsoft.server.render import JsonResponse
from failsoft.server.service import Service

__all__ = ["Controls", "RedisSwitch"]


_SWITCH_BYTES = 256


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
        off = _off(await read_json(request, limit=_SWITCH_BYTES, seconds=_SECONDS))
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


_EVERY = "*"
_KNOWN = (
    *("bad_key", "cut", "hang", "healthy", "latency", "rate_limit", "refusal", "reset"),
    *("429", "500", "503", "529"),
)
_MOST_FAULTS, _MOST_CHARS = 8, 120
_BODY_BYTES, _SECONDS = 4096, 5.0


class Controls:
    """Reads and sets the faults of models and whole providers, in the simulator of the demo."""

    def __init__(self, service: Service, access: Access, demo: Demo, redis: RedisSwitch) -> None:
        self._ai = service.ai
        self._access = access
        self._url = f"{demo.simulator}/_sim/models"
        self._providers = dict(demo.providers)
        self._redis = redis
        targets = (target for route in self._ai.health()["routes"] for target in route["targets"])
        models = (each.partition("/")[2] for each in targets)
        self._models = dict.fromkeys((*models, *self._providers.values(), _EVERY))
        self._began = {model: list(faults) for model, faults in demo.faults.items()}

    async def show(self, request: Request, _request_id: str) -> Response:
        """The faults in force by model, those that the demo began with, and whole providers."""
        self._access.check(request)
        faults = await self._faults()
        return JsonResponse({"models": faults, "began": self._began, "providers": self._providers})

    async def change(self, request: Request, _request_id: str) -> Response:
        """Replace the faults of one model, of a provider's (``gpt-*``), or of ``*``."""
        self._access.check(request)
        model = request.path_params["model"]
        if model not in self._models:
            known = ", ".join(self._models)
            raise Problem.of_field(404, "model", f"{shown_name(model)} is none of {known}")
        body = await read_json(request, limit=_BODY_BYTES, seconds=_SECONDS)
        faults = _checked(body)
        await self._put(model, faults)
        return JsonResponse({"faults": faults})

    async def restore(self, request: Request, _request_id: str) -> Response:
        """Everything as the demo began: faults, breakers, benches and parks, and the Redis."""
        self._access.check(request)
        await self._redis.turn(off=False)
        now, began = await self._faults(), self._began
        for model in dict.fromkeys((*began, *now)):
            await self._put(model, began.get(model, []))
        self._ai.reset()
        return JsonResponse({"models": await self._faults(), "began": began})

    async def _faults(self) -> dict[str, list[str]]:
        told = await self._call("GET", self._url)
        return {model: behaviour["faults"] for model, behaviour in told["models"].items()}

    async def _put(self, model: str, faults: Sequence[str]) -> None:
        await self._call("PUT", f"{self._url}/{quote(model, safe='')}", {"faults": list(faults)})

    async def _call(self, method: str, url: str, body: Any = None) -> Any:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, json=body) as reply,
            ):
                reply.raise_for_status()
                return await reply.json()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Problem(502, "The simulator does not answer. Start the demo again.") from error


def _checked(body: Any) -> list[str]:
    faults = body.get("faults") if isinstance(body, dict) else None
    if not isinstance(faults, list) or set(body) != {"faults"}:
        raise Problem.of_field(
            422, "body", 'must be like {"faults": ["529@0.2"]}, with nothing else'
        )
    if len(faults) > _MOST_FAULTS:
        raise Problem.of_field(422, "faults", f"may be at most {_MOST_FAULTS}")
    return [_fault(fault) for fault in faults]


def _fault(said: Any) -> str:
    if not isinstance(said, str) or len(said) > _MOST_CHARS:
        raise Problem.of_field(422, "faults", f"must be texts of at most {_MOST_CHARS} characters")
    try:
        fault = parse_fault(said)
    except SettingError as error:
        raise Problem.of_field(422, "faults", ascii(error.problem)[1:-1]) from None
    if fault.name not in _KNOWN:
        allowed = ", ".join(_KNOWN)
        raise Problem.of_field(422, "faults", f"can be {allowed} here; {fault.name} is not")
    return format_fault(fault)
