"""From how a request ended to the answer a person gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from failsoft.classify import verdict_for
from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.engine.answer import Answer, DegradationLevel
from failsoft.engine.driver import Ending
from failsoft.engine.report import waste_of
from failsoft.engine.request import Request
from failsoft.engine.runtime import Core
from failsoft.errors import AIBadRequest, AIError, AIMisconfigured, AIRefused, AIUnavailable
from failsoft.ladder.ladder import Served
from failsoft.notices import Catalogue, Notice, notice_for, suggested_actions
from failsoft.policy.plan_events import GiveUp

__all__ = [
    "Speech",
    "Voice",
    "answer_for",
    "error_for",
    "error_kind",
    "reported",
    "served_answer",
    "speech_of_failure",
    "speech_of_step",
]

_KINDS: Mapping[str, type[AIError]] = {
    "content_policy": AIRefused,
    "auth_error": AIMisconfigured,
    "permanent": AIBadRequest,
}

# The minimal level names this time where it is unknown when a target will be back.
_MINIMAL_RETRY_SECONDS = 300.0

# As the minimal level's, for the steps above it.
_STEP_RETRY_SECONDS = {"cached": 120.0, "rule": 300.0}

# What a target that is left out failed with says nothing true of a request that asked nothing: it
# took no time, and met no interruption. High demand and our own account are as true of it.
_OUTAGES = (ErrorCategory.TRANSIENT, ErrorCategory.TIMEOUT, ErrorCategory.UNKNOWN)

# What time can mend, ours or the provider's; sending the same words again mends nothing else.
_PASSES = frozenset(ErrorCategory) - {ErrorCategory.CONTENT_POLICY, ErrorCategory.PERMANENT}


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
    error = error_kind(answer.verdict)(
        f"{answer.verdict}: {answer.notice.title}",
        verdict=answer.verdict,
        notice=answer.notice,
        attempts=answer.attempts,
        request_id=answer.request_id,
        retry_after=answer.retry_after,
    )
    error.__cause__ = cause
    return error


def error_kind(verdict: Verdict) -> type[AIError]:
    """Which of the strict interface's exceptions a verdict is raised as."""
    return _KINDS.get(verdict.category, AIUnavailable)


def served_answer(
    core: Core,
    request: Request,
    ending: Ending | None,
    served: Served,
    catalogue: Catalogue,
    *,
    hops: int,
    now: float,
) -> Answer:
    """The answer that a step of the ladder gave; no ``ending`` where no model was asked."""
    ended = ending or Ending()
    verdict = reported(ended.gave_up) if ending is not None else None
    back_in = None if verdict is None else _back_in(ended.gave_up, verdict, now)
    speech = speech_of_step(
        served,
        _voice(core, request, catalogue),
        _shared(core, request, back_in),
        asked=ending is not None,
    )
    waste = waste_of(ended.attempts, None, core.settings)
    return Answer(
        status="success",
        level=DegradationLevel(served.level),
        text=served.text,
        request_id=request.id,
        notice=speech.notice,
        finish="complete",
        hops=hops,
        attempts=tuple(ended.attempts),
        left_out=request.left_out,
        wasted_tokens=waste.tokens,
        wasted_cost_usd=waste.cost_usd,
        verdict=verdict,
        circuit_state=core.circuit_state(request.route),
        suggested_actions=speech.actions,
        retry_in_seconds=speech.retry_in_seconds,
        retry_after=speech.retry_after,
        cache_age_seconds=served.age_seconds,
        link=served.link,
    )


def _full(core: Core, request: Request, ending: Ending, hops: int) -> Answer:
    call = ending.call
    if call is None:
        raise RuntimeError("a request ended with neither an answer nor a reason")
    length = ending.message.get("stop_reason") == "max_tokens"
    *unused, served = ending.attempts
    waste = waste_of(unused, served, core.settings)
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
        left_out=request.left_out,
        usage=served.usage,
        wasted_tokens=waste.tokens,
        wasted_cost_usd=waste.cost_usd,
        lost_cache_tokens=waste.lost_cache_tokens,
        circuit_state=core.circuit_state(request.route),
    )


def _failed(
    core: Core, request: Request, ending: Ending, catalogue: Catalogue, *, hops: int, now: float
) -> Answer:
    gave_up, shown = ending.gave_up, bool(ending.shown)
    verdict = reported(gave_up)
    back_in = _shared(core, request, _back_in(gave_up, verdict, now))
    asked = bool(ending.attempts) or gave_up is None or gave_up.reason != "unavailable"
    voice = _voice(core, request, catalogue)
    speech = speech_of_failure(verdict, voice, back_in, shown=shown, asked=asked)
    unused = [attempt for attempt in ending.attempts if not attempt.shown_chars]
    waste = waste_of(unused, None, core.settings)
    return Answer(
        status="error",
        level=DegradationLevel.MINIMAL,
        text="".join(ending.shown) if shown else _usable(verdict, ending.message),
        request_id=request.id,
        notice=speech.notice,
        message=ending.message or None,
        finish="interrupted" if shown else None,
        hops=hops,
        attempts=tuple(ending.attempts),
        left_out=request.left_out,
        wasted_tokens=waste.tokens,
        wasted_cost_usd=waste.cost_usd,
        verdict=verdict,
        retryable=verdict.category.retryable,
        error_category=verdict.category,
        circuit_state=core.circuit_state(request.route),
        suggested_actions=speech.actions,
        retry_in_seconds=speech.retry_in_seconds,
        retry_after=speech.retry_after,
    )


def reported(gave_up: GiveUp | None) -> Verdict:
    """The verdict that speaks for all that was tried."""
    if gave_up is not None and gave_up.verdict is not None:
        return gave_up.verdict
    reason = gave_up.reason if gave_up is not None else ""
    return verdict_for(reason if reason in ("saturated", "unavailable") else "deadline_passed")


def _back_in(gave_up: GiveUp | None, verdict: Verdict, now: float) -> float | None:
    """Seconds until a target may be back, as far as anybody knows."""
    if gave_up is None or gave_up.back_at is None:
        return verdict.wait_seconds
    return max(0.0, gave_up.back_at - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """In what language a person is spoken to, of which request, and what links there are."""

    catalogue: Catalogue
    locale: str
    reference: str
    links: Collection[str]


class Speech(NamedTuple):
    """What an answer that is not a model's own says to a person, and to a program."""

    notice: Notice
    actions: tuple[str, ...]
    retry_in_seconds: float | None
    retry_after: float | None


def speech_of_failure(
    verdict: Verdict,
    voice: Voice,
    back_in: float | None,
    *,
    shown: bool = False,
    asked: bool = True,
) -> Speech:
    """The notice where nothing is served; ``back_in`` seconds, as far as anybody knows.

    Not ``asked``: every target is left out, and nothing was called.
    """
    if not asked and verdict.category in _OUTAGES and verdict.reason != "saturated":
        return _speech_of_outage(voice, back_in)
    notice = notice_for(
        verdict,
        catalogue=voice.catalogue,
        reference=voice.reference,
        locale=voice.locale,
        retry_in_seconds=back_in,
        shown=shown,
    )
    counted = notice.retry_countdown_seconds
    actions = suggested_actions(
        verdict,
        catalogue=voice.catalogue,
        locale=voice.locale,
        retry_in_seconds=back_in if counted is None else counted,
        links=voice.links,
    )
    wait = counted if back_in is None else back_in
    return Speech(notice, actions, counted, wait if verdict.category in _PASSES else None)


def _speech_of_outage(voice: Voice, back_in: float | None) -> Speech:
    wait = _MINIMAL_RETRY_SECONDS if back_in is None else back_in
    words, key, locale = voice.catalogue, "minimal", voice.locale
    notice = words.notice(key, reference=voice.reference, locale=locale, seconds=wait)
    actions = words.actions(key, locale=locale, seconds=wait, links=voice.links)
    return Speech(notice, actions, notice.retry_countdown_seconds, wait)


def speech_of_step(
    served: Served, voice: Voice, back_in: float | None, *, asked: bool = True
) -> Speech:
    """The notice for what a step of the ladder served; not ``asked``: no model was tried."""
    wait = _STEP_RETRY_SECONDS[served.level] if back_in is None else back_in
    key = served.level if asked else "saved"
    notice = voice.catalogue.notice(
        key,
        reference=voice.reference,
        locale=voice.locale,
        seconds=wait,
        age_seconds=served.age_seconds,
    )
    actions = voice.catalogue.actions(key, locale=voice.locale, seconds=wait, links=voice.links)
    return Speech(notice, (served.action, *actions) if served.action else actions, wait, wait)


def _voice(core: Core, request: Request, catalogue: Catalogue) -> Voice:
    return Voice(catalogue=catalogue, locale=request.locale, reference=request.id, links=core.links)


def _shared(core: Core, request: Request, back_in: float | None) -> float | None:
    return None if back_in is None else back_in + request.share(core)


def _usable(verdict: Verdict, message: Mapping[str, Any]) -> str:
    return _text(message) if verdict.reason == "context_too_long" else ""


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [b.get("text") for b in blocks if isinstance(b, Mapping) and b.get("type") == "text"]
    return "".join([text for text in texts if isinstance(text, str)]) if texts else ""
