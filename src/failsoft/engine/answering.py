"""From how a request ended to the answer a person gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from failsoft.classify import verdict_for
from failsoft.classify.verdict import Verdict
from failsoft.engine.answer import Answer, DegradationLevel
from failsoft.engine.call import Request
from failsoft.engine.core import Core
from failsoft.engine.driver import Ending
from failsoft.engine.ledger import Attempt
from failsoft.errors import AIBadRequest, AIError, AIMisconfigured, AIRefused, AIUnavailable
from failsoft.notices import Catalogue, notice_for, suggested_actions

__all__ = ["answer_for", "error_for", "saturated"]

_KINDS: Mapping[str, type[AIError]] = {
    "content_policy": AIRefused,
    "auth_error": AIMisconfigured,
    "permanent": AIBadRequest,
}

# What ladder.md grants the minimal level where nobody knows when a target will be back.
_MINIMAL_RETRY_SECONDS = 300.0

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def answer_for(
    core: Core, request: Request, ending: Ending, catalogue: Catalogue, *, hops: int, now: float
) -> Answer:
    """The answer to ``request``, given how its driver ended at ``now`` (monotonic seconds)."""
    if ending.gave_up is None:
        return _full(core, request, ending, hops)
    return _failed(core, request, ending, catalogue, hops=hops, now=now)


def error_for(answer: Answer, cause: BaseException | None) -> AIError:
    """The exception of the strict interface for a failed answer; ``cause`` is chained to it."""
    if answer.verdict is None or answer.notice is None:
        raise RuntimeError("only a failed answer has an error")
    kind = _KINDS.get(answer.verdict.category, AIUnavailable)
    error = kind(
        f"{answer.verdict}: {answer.notice.title}",
        verdict=answer.verdict,
        notice=answer.notice,
        attempts=answer.attempts,
        request_id=answer.request_id,
        retry_after=answer.retry_in_seconds,
    )
    error.__cause__ = cause
    return error


def saturated(core: Core, request: Request, catalogue: Catalogue) -> Answer:
    """The answer where the route itself was full: no provider was reached."""
    verdict = verdict_for("saturated")
    return _minimal(core, request, catalogue, verdict, retry_in=None, shown=False)


def _full(core: Core, request: Request, ending: Ending, hops: int) -> Answer:
    call = ending.call
    if call is None:
        raise RuntimeError("a request ended with neither an answer nor a reason")
    length = ending.message.get("stop_reason") == "max_tokens"
    return Answer(
        status="success",
        level=DegradationLevel.FULL,
        text=_text(ending.message),
        request_id=request.id,
        message=ending.message,
        finish="length" if length else "complete",
        model=call.target.model,
        target=call.target.id,
        position=call.position,
        hops=hops,
        attempts=tuple(ending.attempts),
        usage=ending.attempts[-1].usage,
        wasted_tokens=_wasted(ending.attempts[:-1]) if hops else {},
        circuit_state=core.circuit_state(),
    )


def _failed(
    core: Core, request: Request, ending: Ending, catalogue: Catalogue, *, hops: int, now: float
) -> Answer:
    gave_up = ending.gave_up
    verdict = gave_up.verdict if gave_up else None
    if verdict is None:
        full = gave_up is not None and gave_up.reason == "saturated"
        verdict = verdict_for("saturated" if full else "deadline")
    back_at = gave_up.back_at if gave_up else None
    retry_in = verdict.wait_seconds if back_at is None else max(0.0, back_at - now)
    shown = bool(ending.shown)
    return _minimal(
        core,
        request,
        catalogue,
        verdict,
        retry_in=retry_in,
        shown=shown,
        text="".join(ending.shown) if shown else _usable(verdict, ending.message),
        message=ending.message or None,
        finish="interrupted" if shown else None,
        hops=hops,
        attempts=tuple(ending.attempts),
        wasted_tokens=_wasted(ending.attempts),
    )


def _minimal(
    core: Core,
    request: Request,
    catalogue: Catalogue,
    verdict: Verdict,
    *,
    retry_in: float | None,
    shown: bool,
    text: str = "",
    message: dict[str, Any] | None = None,
    finish: Literal["interrupted"] | None = None,
    hops: int = 0,
    attempts: tuple[Attempt, ...] = (),
    wasted_tokens: Mapping[str, int] | None = None,
) -> Answer:
    retryable = verdict.category.retryable
    if retry_in is not None:
        retry_in += request.share(core)
    notice = notice_for(
        verdict,
        catalogue=catalogue,
        reference=request.id,
        locale=request.locale,
        retry_in_seconds=retry_in,
        shown=shown,
    )
    if retryable and retry_in is None:
        countdown = notice.retry_countdown_seconds
        retry_in = _MINIMAL_RETRY_SECONDS if countdown is None else float(countdown)
    return Answer(
        status="error",
        level=DegradationLevel.MINIMAL,
        text=text,
        request_id=request.id,
        notice=notice,
        message=message,
        finish=finish,
        hops=hops,
        attempts=attempts,
        wasted_tokens=wasted_tokens or {},
        verdict=verdict,
        retryable=retryable,
        error_category=verdict.category,
        circuit_state=core.circuit_state(),
        suggested_actions=suggested_actions(
            verdict,
            catalogue=catalogue,
            locale=request.locale,
            retry_in_seconds=retry_in,
            links=core.links,
        ),
        retry_in_seconds=retry_in if retryable else None,
    )


def _usable(verdict: Verdict, message: Mapping[str, Any]) -> str:
    return _text(message) if verdict.reason == "context_too_long" else ""


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = (b.get("text") for b in blocks if isinstance(b, Mapping) and b.get("type") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def _wasted(attempts: tuple[Attempt, ...] | list[Attempt]) -> dict[str, int]:
    """Tokens the provider reported for attempts whose answers were not used."""
    wasted: dict[str, int] = {}
    for attempt in attempts:
        for name in _TOKENS:
            count = attempt.usage.get(name)
            if isinstance(count, int) and count:
                wasted[name] = wasted.get(name, 0) + count
    return wasted
