"""From how a request ended to its answer, down the ladder where no model gave one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from failsoft.degrade.ladder import Asked, Served, helps_after
from failsoft.engine.answer import Answer
from failsoft.engine.answering import answer_for, reported, served_answer
from failsoft.engine.asking import asked_in
from failsoft.engine.call import Request
from failsoft.engine.core import Core
from failsoft.engine.driver import Ending
from failsoft.notices import Catalogue
from failsoft.telemetry.events import CacheLookedUp

__all__ = ["saved_first", "settle"]

_log = logging.getLogger(__name__)


async def saved_first(core: Core, request: Request, catalogue: Catalogue) -> Answer | None:
    """A saved answer before any model is asked, for routes that say ``cache = "always"``."""
    asked = _asked(core, request)
    served = await _saved(core, request, asked) if asked is not None else None
    if served is None:
        return None
    return served_answer(core, request, None, served, catalogue, hops=0, now=0.0)


async def settle(
    core: Core, request: Request, ending: Ending, catalogue: Catalogue, *, hops: int, now: float
) -> Answer:
    """The answer to ``request`` at ``now`` (monotonic seconds). A model's own is saved if whole."""
    if ending.gave_up is None:
        answer = answer_for(core, request, ending, catalogue, hops=hops, now=now)
        _keep(core, request, answer)
        return answer
    served = await _step_down(core, request, ending)
    if served is None:
        return answer_for(core, request, ending, catalogue, hops=hops, now=now)
    return served_answer(core, request, ending, served, catalogue, hops=hops, now=now)


async def _step_down(core: Core, request: Request, ending: Ending) -> Served | None:
    verdict = reported(ending.gave_up)
    if not helps_after(verdict) or ending.shown or (asked := _asked(core, request)) is None:
        return None
    served = await _saved(core, request, asked) if _saves(core, request) else None
    return served or await core.ladder.written(asked)


async def _saved(core: Core, request: Request, asked: Asked) -> Served | None:
    served = await core.ladder.saved(asked)
    if core.publisher and core.ladder.cache is not None:
        result = "miss" if served is None else "alike" if served.alike else "same"
        core.publisher.publish(
            CacheLookedUp(at=time.time(), request_id=request.id, route=request.route, result=result)
        )
    return served


def _keep(core: Core, request: Request, answer: Answer) -> None:
    """Save what is whole, and words alone: never a part, a refusal or a call of a tool."""
    if core.ladder.cache is None or not request.degrades:
        return
    if answer.finish != "complete" or not answer.text:
        return
    if not _saves(core, request) or not _words_alone(answer.message or {}):
        return
    asked = _asked(core, request)
    if asked is not None:
        core.ladder.keep(asked, answer.text)


def _words_alone(message: Mapping[str, Any]) -> bool:
    if message.get("stop_reason") not in ("end_turn", "stop_sequence"):
        return False
    blocks = message.get("content")
    kinds = [b.get("type") if isinstance(b, Mapping) else None for b in blocks or ()]
    return all(kind in ("text", "thinking") for kind in kinds)


def _saves(core: Core, request: Request) -> bool:
    route = core.settings.routes.get(request.route)
    return route is None or route.cache != "off"


def _asked(core: Core, request: Request) -> Asked | None:
    """What is asked, ``None`` where the ladder cannot help; a fault there breaks no request."""
    if not request.degrades:
        return None
    try:
        return asked_in(request, core.settings.routes.get(request.route))
    except Exception:  # noqa: BLE001 - what the models took may be compared with nothing
        _log.exception("ladder_failed", extra={"fields": {"request_id": request.id}})
        return None
