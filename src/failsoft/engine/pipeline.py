"""Carries a request from its admission to its answer, down the ladder where no model gave one."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from failsoft.config.named_sections import RouteSettings
from failsoft.engine import report
from failsoft.engine.answer import Answer
from failsoft.engine.answers import answer_for, reported
from failsoft.engine.deadline import monotonic
from failsoft.engine.driver import Driver
from failsoft.engine.request import Request, Turn
from failsoft.engine.route import RouteFullError
from failsoft.ladder.cache.cache import PUBLIC, Partition, tenant_scope, user_scope
from failsoft.ladder.ladder import Asked, Served, helps_after
from failsoft.policy.plan_events import GiveUp
from failsoft.telemetry.events import CacheLookedUp

__all__ = ["asked_in", "carry_out"]


_log = logging.getLogger(__name__)


async def carry_out(turn: Turn) -> Answer:
    """Ask the models, and step down the ladder where none answers.

    Cancellation passes straight through. The turn's reader is given the answer while it comes.
    """
    try:
        if turn.request.route in turn.runtime.saved_first:
            answer = await _saved_first(turn) or await _asked(turn)
        else:
            answer = await _asked(turn)
    except BaseException:
        report.cancelled(turn)
        raise
    report.finished(turn, answer)
    return answer


async def _saved_first(turn: Turn) -> Answer | None:
    """A saved answer before any model is called, for routes that say ``cache = "always"``."""
    asked = _question(turn)
    served = await _saved(turn, asked) if asked is not None else None
    return None if served is None else answer_for(turn, served)


async def _asked(turn: Turn) -> Answer:
    """What the models answer, which is saved if whole; else what a step of the ladder serves."""
    await _drive(turn)
    if turn.gave_up is not None:
        return answer_for(turn, await _step_down(turn))
    answer = answer_for(turn)
    _keep(turn, answer)
    return answer


async def _drive(turn: Turn) -> None:
    route = turn.runtime.route(turn.request.route)
    driver = Driver(turn, route)
    try:
        place = await route.enter(turn.request.times)
    except RouteFullError:
        turn.gave_up, turn.ended_at = GiveUp("saturated", None, None), monotonic()
        return
    try:
        report.started(turn)
        await driver.run()
    finally:
        route.leave(place)


async def _step_down(turn: Turn) -> Served | None:
    if turn.shown or not helps_after(reported(turn.gave_up)):
        return None
    asked = _question(turn)
    if asked is None:
        return None
    served = await _saved(turn, asked) if _saves(turn) else None
    return served or await turn.runtime.ladder.written(asked)


async def _saved(turn: Turn, asked: Asked) -> Served | None:
    runtime, request = turn.runtime, turn.request
    served = await runtime.ladder.saved(asked)
    if runtime.publisher.active and runtime.ladder.cache is not None:
        result = "miss" if served is None else "alike" if served.alike else "same"
        runtime.publisher.publish(
            CacheLookedUp(at=time.time(), request_id=request.id, route=request.route, result=result)
        )
    return served


def _keep(turn: Turn, answer: Answer) -> None:
    """Save what is whole, and words alone: never a part, a refusal or a call of a tool."""
    if turn.runtime.ladder.cache is None or not turn.request.degrades:
        return
    if answer.finish != "complete" or not answer.text:
        return
    if not _saves(turn) or not _words_alone(answer.message or {}):
        return
    asked = _question(turn)
    if asked is not None:
        turn.runtime.ladder.keep(asked, answer.text)


def _words_alone(message: Mapping[str, Any]) -> bool:
    if message.get("stop_reason") not in ("end_turn", "stop_sequence"):
        return False
    blocks = message.get("content")
    kinds = [b.get("type") if isinstance(b, Mapping) else None for b in blocks or ()]
    return all(kind in ("text", "thinking") for kind in kinds)


def _saves(turn: Turn) -> bool:
    route = turn.runtime.settings.routes.get(turn.request.route)
    return route is None or route.cache != "off"


def _question(turn: Turn) -> Asked | None:
    """The question, ``None`` where the ladder cannot help; a fault there breaks no request."""
    request = turn.request
    if not request.degrades:
        return None
    try:
        return asked_in(request, turn.runtime.settings.routes.get(request.route))
    except Exception:  # noqa: BLE001 - what the models took may be compared with nothing
        _log.exception("ladder_failed", extra={"fields": {"request_id": request.id}})
        return None


_ROUTE = RouteSettings()

# The length an answer may have does not change what is asked: only complete answers are saved.
_NO_CONTEXT = ("messages", "max_tokens")


def asked_in(request: Request, route: RouteSettings | None) -> Asked | None:
    """What ``request`` asks; ``None`` where it is no question of a user."""
    route = route or _ROUTE
    messages = request.body.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], Mapping):
        return None
    *history, last = messages
    if last.get("role") != "user":
        return None
    words = _words(last.get("content"))
    scope, shared = _scope(request, route)
    partition = Partition(
        scope=scope,
        shared=shared and words is not None,
        route=request.route,
        context=_context(request.body, route),
        history=_digest(history) if history else "",
    )
    return Asked(
        question=_digest(last["content"]) if words is None else words,
        partition=partition,
        route=request.route,
        locale=request.locale,
        tenant=request.tenant or "",
        user=request.principal or "",
        worded=words is not None,
    )


def _scope(request: Request, route: RouteSettings) -> tuple[str, bool]:
    """The scope that shares answers, and whether other wordings may be served in it.

    Without users a service is one tenant, and what is a tenant's is shared.
    """
    tenant, user = request.tenant or "", request.principal
    if route.cache_scope == "public":
        return PUBLIC, True
    if route.cache_scope == "user" and user is not None:
        return user_scope(tenant, user), False
    return tenant_scope(tenant), True


def _context(body: Mapping[str, Any], route: RouteSettings) -> str:
    """All that came with the question, whatever else ``cache_key`` says of the answer."""
    sent = {name: part for name, part in body.items() if name not in _NO_CONTEXT}
    return _digest([route.cache_key, sent])


def _words(content: Any) -> str | None:
    """The question as text, ``None`` where it is more than that."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [b.get("text") for b in blocks if isinstance(b, Mapping) and b.get("type") == "text"]
    if len(texts) != len(blocks) or not all(isinstance(text, str) for text in texts):
        return None
    return "\n".join(str(text) for text in texts) or None


def _digest(part: Any) -> str:
    said = json.dumps(part, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(said.encode()).hexdigest()
