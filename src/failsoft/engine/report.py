"""Publishes what happens to one request: counts for the health page, events for subscribers.

No event is made where nothing subscribes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from failsoft.attempt import Attempt
from failsoft.classify.verdict import ErrorCategory, Fault, Verdict
from failsoft.engine.answer import Answer
from failsoft.engine.deadline import monotonic
from failsoft.engine.request import Turn
from failsoft.policy.plan_events import Call
from failsoft.policy.target_guard import Permit
from failsoft.providers.models import cost_usd
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    Degraded,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
)

__all__ = [
    "TOKENS",
    "attempt_finished",
    "attempt_started",
    "cancelled",
    "fell_back",
    "finished",
    "started",
    "token_counts",
    "waiting",
]


TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """The provider's counts by its own names, those of nothing left out."""
    return {
        name: count for name in TOKENS if isinstance(count := usage.get(name), int) and count > 0
    }


def started(turn: Turn) -> None:
    """The request was admitted."""
    if (publisher := turn.runtime.publisher).active:
        request = turn.request
        publisher.publish(
            RequestStarted(
                at=time.time(),
                request_id=request.id,
                route=request.route,
                stream=turn.reader is not None,
            )
        )


def attempt_started(turn: Turn, call: Call, permit: Permit) -> None:
    """A target is being called."""
    if (publisher := turn.runtime.publisher).active:
        publisher.publish(
            AttemptStarted(
                at=time.time(),
                request_id=turn.request.id,
                target=call.target.id,
                number=call.number,
                period_seconds=permit.limits.first_content_at - permit.began,
                samples=permit.samples,
            )
        )


def attempt_finished(turn: Turn, attempt: Attempt) -> None:
    """A call ended."""
    verdict = attempt.verdict
    if verdict is not None:
        turn.runtime.tally.attempt_failed(verdict.category, time.time())
    if (publisher := turn.runtime.publisher).active:
        publisher.publish(
            AttemptFinished(
                at=time.time(),
                request_id=turn.request.id,
                target=attempt.target,
                number=attempt.number,
                outcome=attempt.outcome,
                category=verdict.category if verdict else "",
                reason=verdict.reason if verdict else "",
                fault=verdict.fault if verdict else "",
                duration_seconds=attempt.duration_seconds,
                first_content_seconds=attempt.first_content_seconds,
                detail=verdict.internal_detail if verdict else "",
                tokens=token_counts(attempt.usage),
                cost_usd=cost_usd(attempt.target, attempt.usage, turn.runtime.settings),
                soft_end=attempt.soft_end,
            )
        )


def waiting(turn: Turn, why: str, seconds: float) -> None:
    """The request waits before its next call."""
    if (publisher := turn.runtime.publisher).active:
        publisher.publish(
            RetryScheduled(
                at=time.time(),
                request_id=turn.request.id,
                route=turn.request.route,
                wait_seconds=seconds,
                reason=why,
            )
        )


def fell_back(turn: Turn, before: str, after: str, verdict: Verdict) -> None:
    """The request went on to another target."""
    turn.hops += 1
    if (publisher := turn.runtime.publisher).active:
        publisher.publish(
            FellBack(
                at=time.time(),
                request_id=turn.request.id,
                route=turn.request.route,
                from_target=before,
                to_target=after,
                reason=verdict.reason,
            )
        )


def finished(turn: Turn, answer: Answer) -> None:
    """The request ended with this answer."""
    failed = answer.status == "error"
    ours = answer.verdict is not None and answer.verdict.category is ErrorCategory.AUTH_ERROR
    turn.runtime.tally.request_ended(
        turn.ended_at, failed=failed, fell_back=bool(answer.position), misconfigured=ours
    )
    if (publisher := turn.runtime.publisher).active:
        if answer.level != "full":
            publisher.publish(
                Degraded(
                    at=time.time(),
                    request_id=turn.request.id,
                    route=turn.request.route,
                    level=str(answer.level),
                    reason=answer.verdict.reason if answer.verdict else "unavailable",
                )
            )
        publisher.publish(_finished(turn, answer, answer.status))


def cancelled(turn: Turn) -> None:
    """The caller left before the end."""
    if (publisher := turn.runtime.publisher).active:
        publisher.publish(_finished(turn, None, "cancelled"))


def _finished(turn: Turn, answer: Answer | None, outcome: str) -> RequestFinished:
    request, verdict = turn.request, answer.verdict if answer else None
    return RequestFinished(
        at=time.time(),
        request_id=request.id,
        route=request.route,
        level=str(answer.level) if answer else "",
        outcome=outcome,
        category=verdict.category if verdict and outcome != "success" else "none",
        reason=verdict.reason if verdict else "",
        fault=verdict.fault if verdict else (Fault.USER if answer is None else ""),
        target=(answer.target if answer else None) or "",
        position=answer.position if answer else None,
        attempts=len(turn.attempts),
        hops=turn.hops,
        duration_seconds=monotonic() - request.times.started_at,
        first_content_seconds=_first_content(answer) if answer else None,
        interrupted=answer is not None and answer.finish == "interrupted",
        wasted_tokens=dict(answer.wasted_tokens) if answer else {},
        wasted_cost_usd=answer.wasted_cost_usd if answer else None,
        back_in_seconds=_back_in(turn),
    )


def _back_in(turn: Turn) -> float | None:
    """Seconds from the end of a request until the first of its targets may be called again."""
    at = None if turn.gave_up is None else turn.gave_up.back_at
    return None if at is None else max(0.0, at - turn.ended_at)


def _first_content(answer: Answer) -> float | None:
    """Seconds from the start of the request to the first content that was sent on."""
    for attempt in answer.attempts:
        given = attempt.outcome == "success" or attempt.shown_chars
        if given and attempt.first_content_seconds is not None:
            return attempt.started_seconds + attempt.first_content_seconds
    return None
