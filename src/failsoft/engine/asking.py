"""A request as the ladder sees it: what is asked, and who may be given whose answer to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from failsoft.config.named import RouteSettings
from failsoft.degrade.cache import PUBLIC, Partition, tenant_scope, user_scope
from failsoft.degrade.ladder import Asked
from failsoft.engine.call import Request

__all__ = ["asked_in"]

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
    """Who shares answers, and whether other wordings of a question may be served among them.

    Without users a service is one tenant, and what is a tenant's is shared.
    """
    tenant, user = request.tenant or "", request.principal
    if route.cache_scope == "public":
        return PUBLIC, True
    if route.cache_scope == "user" and user is not None:
        return user_scope(tenant, user), False
    return tenant_scope(tenant), True


def _context(body: Mapping[str, Any], route: RouteSettings) -> str:
    if route.cache_key:
        return "key " + route.cache_key
    return _digest({name: part for name, part in body.items() if name not in _NO_CONTEXT})


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
