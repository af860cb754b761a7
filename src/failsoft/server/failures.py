"""Answers that this process gives by itself, when no model had a say."""

from __future__ import annotations

from failsoft.classify.verdict import ErrorCategory
from failsoft.engine.answer import Answer
from failsoft.engine.answers import Speech, build_answer
from failsoft.engine.client import Failsoft

__all__ = ["cancelled", "draining", "unexpected"]


def draining(ai: Failsoft, *, request_id: str, locale: str, shown: bool = False) -> Answer:
    """The process is ending; ``shown`` where some of an answer was shown before."""
    return _failed(ai, "draining", ErrorCategory.TRANSIENT, request_id, locale, shown=shown)


def cancelled(ai: Failsoft, *, request_id: str, locale: str, shown: bool = False) -> Answer:
    """It was cancelled, or its last reader has left."""
    return _failed(ai, "cancelled", ErrorCategory.UNKNOWN, request_id, locale, shown=shown)


def unexpected(ai: Failsoft, *, request_id: str, locale: str, shown: bool = False) -> Answer:
    """An unexpected error of our own."""
    return _failed(ai, "unknown.given_up", ErrorCategory.UNKNOWN, request_id, locale, shown=shown)


def _failed(
    ai: Failsoft,
    key: str,
    category: ErrorCategory,
    request_id: str,
    locale: str,
    *,
    shown: bool,
) -> Answer:
    words = ai.notices
    notice = words.notice(key, reference=request_id, locale=locale)
    seconds = notice.retry_countdown_seconds
    if shown and key != "cancelled":
        key = "interrupted.retry"
        notice = words.notice(key, reference=request_id, locale=locale, seconds=seconds)
    actions = words.actions(key, locale=locale, seconds=seconds)
    return build_answer(
        request_id,
        finish="interrupted" if shown else None,
        speech=Speech(notice, actions, seconds, seconds),
        failed_as=category,
        circuit_state=ai.circuit_state,
    )
