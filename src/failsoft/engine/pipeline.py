"""Carries a request from its admission to its answer, down the ladder where no model gave one."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from failsoft.config.routes_and_targets import RouteSettings
from failsoft.engine.answer import Answer
from failsoft.engine.answers import answer_for, reported, served_answer
from failsoft.engine.driver import Driver, Ending, Reader
from failsoft.engine.report import Reporter
from failsoft.engine.request import Request
from failsoft.engine.route_queue import RouteFullError
from failsoft.engine.runtime import Core
from failsoft.ladder.cache.cache import PUBLIC, Partition, tenant_scope, user_scope
from failsoft.ladder.ladder import Asked, Served, helps_after
from failsoft.notices import Catalogue
from failsoft.policy.plan_events import GiveUp
from failsoft.telemetry.events import CacheLookedUp

__all__ = ["asked_in", "carry_out", "saved_first", "settle"]


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
    """The question, ``None`` where the ladder cannot help; a fault there breaks no request."""
    if not request.degrades:
        return None
    try:
        return asked_in(request, core.settings.routes.get(request.route))
    except Exception:  # noqa: BLE001 - what the models took may be compared with nothing
        _log.exception("ladder_failed", extra={"fields": {"request_id": request.id}})
        return None


async def carry_out(
    core: Core, request: Request, catalogue: Catalogue, reader: Reader | None = None
) -> tuple[Answer, Ending]:
    """Ask the models, and step down the ladder where none answers.

    Cancellation passes straight through. ``reader`` is given the answer while it comes.
    """
    report = Reporter(core, request)
    try:
        if request.route in core.saved_first:
            saved = await saved_first(core, request, catalogue)
            if saved is not None:
                report.finished(saved, request.times.started_at)
                return saved, Ending()
        ending = await _driven(core, request, report, reader)
        at = ending.at
        answer = await settle(core, request, ending, catalogue, hops=report.hops, now=at)
    except BaseException:
        report.cancelled()
        raise
    report.finished(answer, at)
    return answer, ending


async def _driven(core: Core, request: Request, report: Reporter, reader: Reader | None) -> Ending:
    route = core.route(request.route)
    driver = Driver(core, request, report, reader, route.answered)
    try:
        place = await route.enter(request.times)
    except RouteFullError:
        return Ending(gave_up=GiveUp("saturated", None, None))
    try:
        report.started(stream=reader is not None)
        return await driver.run()
    finally:
        route.leave(place)
