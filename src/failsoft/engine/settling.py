"""From how a request ended to its answer, down the ladder where no model gave one."""

from __future__ import annotations

from failsoft.classify.verdict import ErrorCategory
from failsoft.degrade.ladder import Served
from failsoft.engine.answer import Answer
from failsoft.engine.answering import answer_for, reported, served_answer
from failsoft.engine.asking import asked_in
from failsoft.engine.call import Request
from failsoft.engine.core import Core
from failsoft.engine.driver import Ending
from failsoft.notices import Catalogue

__all__ = ["saved_first", "settle"]

# What another's answer cannot mend: the words, our own set-up, or the request itself.
_OWN_NOTICE = (ErrorCategory.CONTENT_POLICY, ErrorCategory.AUTH_ERROR, ErrorCategory.PERMANENT)


async def saved_first(core: Core, request: Request, catalogue: Catalogue) -> Answer | None:
    """A saved answer before any model is asked, where the route says ``cache = "always"``."""
    route = core.settings.routes.get(request.route)
    if route is None or route.cache != "always" or not request.degrades:
        return None
    asked = asked_in(request, route)
    served = await core.ladder.saved(asked) if asked is not None else None
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
    helps = verdict.category not in _OWN_NOTICE or verdict.reason == "model_unavailable"
    if not helps or ending.shown or not request.degrades:
        return None
    route = core.settings.routes.get(request.route)
    asked = asked_in(request, route)
    if asked is None:
        return None
    if route is not None and route.cache == "off":
        return core.ladder.written(asked)
    return await core.ladder.find(asked)


def _keep(core: Core, request: Request, answer: Answer) -> None:
    """Save what is whole, and words alone: never a part, a refusal or a call of a tool."""
    if core.ladder.cache is None or not request.degrades or answer.finish != "complete":
        return
    message = answer.message or {}
    if message.get("stop_reason") not in ("end_turn", "stop_sequence") or not answer.text:
        return
    if any(block.get("type") not in ("text", "thinking") for block in message.get("content", ())):
        return
    route = core.settings.routes.get(request.route)
    if route is not None and route.cache == "off":
        return
    asked = asked_in(request, route)
    if asked is not None:
        core.ladder.keep(asked, answer.text)
