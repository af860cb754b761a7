"""Answers that this process gives by itself, when no model had a say."""

from __future__ import annotations

from failsoft.classify.verdict import ErrorCategory
from failsoft.engine.answer import Answer, DegradationLevel
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
    return Answer(
        status="error",
        level=DegradationLevel.MINIMAL,
        text="",
        request_id=request_id,
        notice=notice,
        finish="interrupted" if shown else None,
        retryable=category.retryable,
        error_category=category,
        circuit_state=ai.circuit_state,
        suggested_actions=words.actions(key, locale=locale, seconds=seconds),
        retry_in_seconds=seconds,
        retry_after=seconds,
    )
