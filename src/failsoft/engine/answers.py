"""From how a request ended to the answer a person gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from failsoft.attempt import Attempt
from failsoft.classify import verdict_for
from failsoft.classify.verdict import ErrorCategory, Verdict
from failsoft.config.settings import Settings
from failsoft.engine.answer import Answer, DegradationLevel
from failsoft.engine.report import TOKENS
from failsoft.engine.request import Turn
from failsoft.errors import AIBadRequest, AIError, AIMisconfigured, AIRefused, AIUnavailable
from failsoft.ladder.ladder import Served
from failsoft.notices import Catalogue, Notice, notice_for, suggested_actions
from failsoft.policy.breaker import CircuitState
from failsoft.policy.plan_events import GiveUp
from failsoft.providers.models import cost_usd

__all__ = [
    "Speech",
    "Voice",
    "answer_for",
    "build_answer",
    "error_for",
    "error_kind",
    "reported",
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


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class _Ledger(NamedTuple):
    """See the fields of :class:`~failsoft.engine.answer.Answer`, in whose order they are."""

    model: str | None = None
    target: str | None = None
    position: int | None = None
    hops: int = 0
    attempts: tuple[Attempt, ...] = ()
    left_out: tuple[str, ...] = ()
    usage: Mapping[str, Any] = _NOTHING
    wasted_tokens: Mapping[str, int] = _NOTHING
    wasted_cost_usd: float | None = 0.0
    lost_cache_tokens: int = 0


_NO_CALLS = _Ledger()


class Speech(NamedTuple):
    """What an answer that is not a model's own says to a person, and to a program."""

    notice: Notice | None = None
    actions: tuple[str, ...] = ()
    retry_in_seconds: float | None = None
    retry_after: float | None = None


_SILENT = Speech()


def answer_for(turn: Turn, served: Served | None = None) -> Answer:
    """The answer to a request that has ended; ``served`` is what a step of the ladder gave."""
    if turn.call is not None:
        return _full(turn)
    if served is not None:
        return _stepped(turn, served)
    return _failed(turn)


def build_answer(
    request_id: str,
    *,
    text: str = "",
    finish: Literal["complete", "length", "paused", "interrupted"] | None = None,
    speech: Speech = _SILENT,
    failed_as: ErrorCategory | None = None,
    served: Served | None = None,
    verdict: Verdict | None = None,
    message: dict[str, Any] | None = None,
    ledger: _Ledger = _NO_CALLS,
    circuit_state: CircuitState = CircuitState.CLOSED,
) -> Answer:
    """Every answer is put together here.

    It is a model's own, unless it is ``served`` by a step of the ladder or ``failed_as`` a
    category.
    """
    level = DegradationLevel.FULL
    if failed_as is not None:
        level = DegradationLevel.MINIMAL
    elif served is not None:
        level, text = DegradationLevel(served.level), served.text
    return Answer(
        "success" if failed_as is None else "error",
        level,
        text,
        request_id,
        speech.notice,
        message,
        finish,
        *ledger,
        verdict,
        failed_as is not None and failed_as.retryable,
        failed_as,
        circuit_state,
        speech.actions,
        speech.retry_in_seconds,
        speech.retry_after,
        None if served is None else served.age_seconds,
        None if served is None else served.link,
    )


_FINISHES: Final[Mapping[Any, Literal["length", "paused"]]] = {
    "max_tokens": "length",
    "pause_turn": "paused",
}


def _full(turn: Turn) -> Answer:
    message = turn.message
    return build_answer(
        turn.request.id,
        text=_text(message),
        finish=_FINISHES.get(message.get("stop_reason"), "complete"),
        message=message,
        ledger=_ledger_of(turn),
        circuit_state=turn.runtime.circuit_state(turn.request.route),
    )


def _stepped(turn: Turn, served: Served) -> Answer:
    asked = turn.gave_up is not None
    verdict = reported(turn.gave_up) if asked else None
    back_in = None if verdict is None else _shared(turn, _back_in(turn, verdict))
    return build_answer(
        turn.request.id,
        finish="complete",
        speech=speech_of_step(served, _voice(turn), back_in, asked=asked),
        served=served,
        verdict=verdict,
        ledger=_ledger_of(turn),
        circuit_state=turn.runtime.circuit_state(turn.request.route),
    )


def _failed(turn: Turn) -> Answer:
    gave_up, shown = turn.gave_up, bool(turn.shown)
    verdict = reported(gave_up)
    back_in = _shared(turn, _back_in(turn, verdict))
    asked = bool(turn.attempts) or gave_up is None or gave_up.reason != "unavailable"
    return build_answer(
        turn.request.id,
        text="".join(turn.shown) if shown else _usable(verdict, turn.message),
        finish="interrupted" if shown else None,
        speech=speech_of_failure(verdict, _voice(turn), back_in, shown=shown, asked=asked),
        failed_as=verdict.category,
        verdict=verdict,
        message=turn.message or None,
        ledger=_ledger_of(turn),
        circuit_state=turn.runtime.circuit_state(turn.request.route),
    )


def _ledger_of(turn: Turn) -> _Ledger:
    model = target = position = None
    usage = _NOTHING
    if (call := turn.call) is not None:
        model, target, position = call.target.model, call.target.id, call.position
        usage = turn.attempts[-1].usage
    return _Ledger(
        model,
        target,
        position,
        turn.hops,
        tuple(turn.attempts),
        turn.request.left_out,
        usage,
        *_waste_of(turn),
    )


def _waste_of(turn: Turn) -> tuple[Mapping[str, int], float | None, int]:
    """Tokens, cost and lost cache of the attempts whose text was neither the answer nor shown."""
    if turn.call is not None and len(turn.attempts) == 1:
        return _NOTHING, 0.0, 0
    served = turn.attempts[-1] if turn.call is not None else None
    unused = [each for each in turn.attempts if each is not served and not each.shown_chars]
    if not unused:
        return _NOTHING, 0.0, 0
    cost = _cost_usd(unused, turn.runtime.settings)
    return _tokens(unused), cost, _lost_cache(unused, served)


def _tokens(unused: Sequence[Attempt]) -> dict[str, int]:
    sums = {name: sum(_count(attempt, name) for attempt in unused) for name in TOKENS}
    return {name: count for name, count in sums.items() if count}


def _cost_usd(unused: Sequence[Attempt], settings: Settings) -> float | None:
    total = 0.0
    for attempt in unused:
        cost = cost_usd(attempt.target, attempt.usage, settings)
        if cost is None:
            return None
        total += cost
    return total


def _lost_cache(unused: Sequence[Attempt], served: Attempt | None) -> int:
    """The longest cached prompt at another target, less what the target that served had itself."""
    if served is None:
        return 0
    cached = (
        _count(attempt, "cache_read_input_tokens") + _count(attempt, "cache_creation_input_tokens")
        for attempt in unused
        if attempt.target != served.target
    )
    return max(0, max(cached, default=0) - _count(served, "cache_read_input_tokens"))


def _count(attempt: Attempt, name: str) -> int:
    count = attempt.usage.get(name)
    return count if isinstance(count, int) else 0


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


def reported(gave_up: GiveUp | None) -> Verdict:
    """The verdict that speaks for all that was tried."""
    if gave_up is not None and gave_up.verdict is not None:
        return gave_up.verdict
    reason = gave_up.reason if gave_up is not None else ""
    return verdict_for(reason if reason in ("saturated", "unavailable") else "deadline_passed")


def _back_in(turn: Turn, verdict: Verdict) -> float | None:
    """Seconds until a target may be back, as far as anybody knows."""
    if turn.gave_up is None or turn.gave_up.back_at is None:
        return verdict.wait_seconds
    return max(0.0, turn.gave_up.back_at - turn.ended_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """In what language a person is spoken to, of which request, and what links there are."""

    catalogue: Catalogue
    locale: str
    reference: str
    links: Collection[str]


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


def _voice(turn: Turn) -> Voice:
    request = turn.request
    return Voice(
        catalogue=turn.catalogue,
        locale=request.locale,
        reference=request.id,
        links=turn.runtime.links,
    )


def _shared(turn: Turn, back_in: float | None) -> float | None:
    return None if back_in is None else back_in + turn.request.share(turn.runtime)


def _usable(verdict: Verdict, message: Mapping[str, Any]) -> str:
    return _text(message) if verdict.reason == "context_too_long" else ""


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [b.get("text") for b in blocks if isinstance(b, Mapping) and b.get("type") == "text"]
    return "".join([text for text in texts if isinstance(text, str)]) if texts else ""
