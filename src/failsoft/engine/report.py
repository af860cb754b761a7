"""Tells the health page and the subscribers what happens to one request."""

from __future__ import annotations

import time

from failsoft.classify.verdict import Fault, Verdict
from failsoft.engine.answer import Answer
from failsoft.engine.call import Request
from failsoft.engine.clock import monotonic
from failsoft.engine.core import Core
from failsoft.engine.ledger import Attempt
from failsoft.engine.waste import token_counts
from failsoft.policy.steps import Call
from failsoft.providers.prices import cost_usd
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    Degraded,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
)

__all__ = ["Reporter"]


class Reporter:
    """One request's events. Makes none where nobody listens."""

    def __init__(self, core: Core, request: Request) -> None:
        self._publisher = core.publisher or None
        self._tally = core.tally
        self._request_id = request.id
        self._route = request.route
        self._began = request.times.started_at
        self._attempts = 0
        self._hops = 0
        self._stream = False
        self._settings = core.settings

    def started(self, *, stream: bool) -> None:
        """The request was admitted."""
        self._stream = stream
        if self._publisher is not None:
            event = RequestStarted(
                at=time.time(), request_id=self._request_id, route=self._route, stream=stream
            )
            self._publisher.publish(event)

    def attempt_started(self, call: Call) -> None:
        """A target is being called."""
        if self._publisher is not None:
            event = AttemptStarted(
                at=time.time(),
                request_id=self._request_id,
                target=call.target.id,
                number=call.number,
            )
            self._publisher.publish(event)

    def attempt_finished(self, attempt: Attempt) -> None:
        """A call ended."""
        self._attempts += 1
        verdict = attempt.verdict
        if verdict is not None:
            self._tally.attempt_failed(verdict.category, time.time())
        if self._publisher is None:
            return
        event = AttemptFinished(
            at=time.time(),
            request_id=self._request_id,
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
            cost_usd=cost_usd(attempt.target, attempt.usage, self._settings),
        )
        self._publisher.publish(event)

    def waiting(self, why: str, seconds: float) -> None:
        """The request waits before its next call."""
        if self._publisher is not None:
            event = RetryScheduled(
                at=time.time(),
                request_id=self._request_id,
                route=self._route,
                wait_seconds=seconds,
                reason=why,
            )
            self._publisher.publish(event)

    def fell_back(self, before: str, after: str, verdict: Verdict) -> None:
        """The request went on to another target."""
        self._hops += 1
        if self._publisher is not None:
            event = FellBack(
                at=time.time(),
                request_id=self._request_id,
                route=self._route,
                from_target=before,
                to_target=after,
                reason=verdict.reason,
            )
            self._publisher.publish(event)

    @property
    def hops(self) -> int:
        """Times the request went on to another target."""
        return self._hops

    def finished(self, answer: Answer, now: float) -> None:
        """The request ended at ``now`` (monotonic seconds), with this answer."""
        failed = answer.status == "error"
        self._tally.request_ended(now, failed=failed, fell_back=bool(answer.position))
        if self._publisher is None:
            return
        if answer.level != "full":
            event = Degraded(
                at=time.time(),
                request_id=self._request_id,
                route=self._route,
                level=str(answer.level),
                reason=answer.verdict.reason if answer.verdict else "unavailable",
            )
            self._publisher.publish(event)
        self._finish(answer, answer.status)

    def cancelled(self) -> None:
        """The caller left before the end."""
        self._finish(None, "cancelled")

    def _finish(self, answer: Answer | None, outcome: str) -> None:
        if self._publisher is None:
            return
        verdict = answer.verdict if answer else None
        event = RequestFinished(
            at=time.time(),
            request_id=self._request_id,
            route=self._route,
            level=str(answer.level) if answer else "",
            outcome=outcome,
            category=verdict.category if verdict and outcome != "success" else "none",
            reason=verdict.reason if verdict else "",
            fault=verdict.fault if verdict else (Fault.USER if answer is None else ""),
            target=(answer.target if answer else None) or "",
            position=answer.position if answer else None,
            attempts=self._attempts,
            hops=self._hops,
            duration_seconds=monotonic() - self._began,
            first_content_seconds=_first_content(answer) if answer else None,
            interrupted=self._stream and answer is not None and answer.finish == "interrupted",
            wasted_tokens=dict(answer.wasted_tokens) if answer else {},
            wasted_cost_usd=answer.wasted_cost_usd if answer else None,
        )
        self._publisher.publish(event)


def _first_content(answer: Answer) -> float | None:
    """Seconds from the start of the request to the first content that was given out."""
    for attempt in answer.attempts:
        given = attempt.outcome == "success" or attempt.shown_chars
        if given and attempt.first_content_seconds is not None:
            return attempt.started_seconds + attempt.first_content_seconds
    return None
