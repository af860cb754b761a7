"""``/_sim/``: the simulator's own routes, to change behaviours and to read the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from failsoft.chaos.simulator.journal import Journal
from failsoft.chaos.simulator.script import Board, only_keys, parse_faults
from failsoft.errors import SettingError
from failsoft.faults.fault_grammar import SimulatedFault, format_fault

__all__ = ["CONTROL_PREFIX", "PUT_FIELDS", "control_routes"]

CONTROL_PREFIX: Final = "/_sim/"
PUT_FIELDS: Final = ("faults",)


def control_routes(board: Board, journal: Journal) -> list[web.RouteDef]:
    """The routes over these two."""
    control = _Control(board, journal)
    model = CONTROL_PREFIX + "models/{model:.+}"
    return [
        web.get(CONTROL_PREFIX + "models", control.read_models),
        web.put(model, control.set_model),
        web.delete(model, control.remove_model),
        web.get(CONTROL_PREFIX + "requests", control.read_requests),
        web.delete(CONTROL_PREFIX + "requests", control.clear_requests),
    ]


class _Control:
    def __init__(self, board: Board, journal: Journal) -> None:
        self._board = board
        self._journal = journal

    async def read_models(self, _request: web.Request) -> web.Response:
        faults = self._board.faults()
        return web.json_response(
            {"models": {model: _behaviour(faults[model]) for model in sorted(faults)}}
        )

    async def set_model(self, request: web.Request) -> web.Response:
        try:
            body = await _json_object(request)
            only_keys(body, PUT_FIELDS, "body")
            faults = parse_faults(body.get("faults"), where="faults")
            self._board.set(request.match_info["model"], faults)
        except SettingError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(_behaviour(faults))

    async def remove_model(self, request: web.Request) -> web.Response:
        self._board.remove(request.match_info["model"])
        return web.Response(status=204)

    async def read_requests(self, _request: web.Request) -> web.Response:
        return web.json_response(self._journal.as_json())

    async def clear_requests(self, _request: web.Request) -> web.Response:
        self._journal.clear()
        return web.Response(status=204)


def _behaviour(faults: Sequence[SimulatedFault]) -> dict[str, list[str]]:
    return {"faults": [format_fault(fault) for fault in faults]}


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SettingError("body", 'must be a JSON object, for example {"faults": ["529@0.2"]}')
    return body
