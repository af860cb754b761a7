"""Tells the subscribers what happens to one request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from failsoft.classify.verdict import Fault, Verdict
from failsoft.engine.answer import Answer
from failsoft.engine.clock import monotonic
from failsoft.engine.ledger import Attempt
from failsoft.policy.plan import Call
from failsoft.telemetry.events import (
    AttemptFinished,
    AttemptStarted,
    Degraded,
    Event,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
)

__all__ = ["Publisher", "Reporter"]

_log = logging.getLogger("failsoft")


class Publisher:
    """Hands every event to every subscriber; one that fails is logged and never breaks a call."""

    def __init__(self, subscribers: Sequence[Callable[[Event], None]]) -> None:
        self._subscribers = list(subscribers)

    def __bool__(self) -> bool:
        return bool(self._subscribers)

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Add a subscriber; it is called in the thread of the request and must be quick."""
        self._subscribers.append(subscriber)

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - a listener's trouble is never the caller's
                _log.exception("a subscriber failed on %s", type(event).__name__)


class Reporter:
    """One request's events. Makes none where nobody listens."""

    def __init__(self, publisher: Publisher, request_id: str, route: str) -> None:
        self._publisher = publisher
        self._request_id = request_id
        self._route = route
        self._began = monotonic()
        self._hops = 0

    def started(self, *, stream: bool) -> None:
        """The request was admitted."""
        if self._publisher:
            event = RequestStarted(
                at=time.time(), request_id=self._request_id, route=self._route, stream=stream
            )
            self._publisher.publish(event)

    def attempt_started(self, call: Call) -> None:
        """A target is being called."""
        if self._publisher:
            event = AttemptStarted(
                at=time.time(),
                request_id=self._request_id,
                target=call.target.id,
                number=call.number,
            )
            self._publisher.publish(event)

    def attempt_finished(self, attempt: Attempt) -> None:
        """A call ended."""
        if not self._publisher:
            return
        verdict = attempt.verdict
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
        )
        self._publisher.publish(event)

    def waiting(self, why: str, seconds: float) -> None:
        """The request waits before its next call."""
        if self._publisher:
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
        if self._publisher:
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

    def finished(self, answer: Answer) -> None:
        """The request ended, with this answer."""
        if not self._publisher:
            return
        if answer.level != "full":
            event = Degraded(
                at=time.time(),
                request_id=self._request_id,
                route=self._route,
                level=answer.level,
                reason=answer.verdict.reason if answer.verdict else "unavailable",
            )
            self._publisher.publish(event)
        self._finish(answer, answer.status)

    def cancelled(self) -> None:
        """The caller left before the end."""
        if self._publisher:
            self._finish(None, "cancelled")

    def _finish(self, answer: Answer | None, outcome: str) -> None:
        verdict = answer.verdict if answer else None
        event = RequestFinished(
            at=time.time(),
            request_id=self._request_id,
            route=self._route,
            level=answer.level if answer else "",
            outcome=outcome,
            category=verdict.category if verdict else "none",
            reason=verdict.reason if verdict else "",
            fault=verdict.fault if verdict else (Fault.USER if answer is None else ""),
            target=(answer.target if answer else None) or "",
            position=answer.position if answer else None,
            attempts=len(answer.attempts) if answer else 0,
            hops=self._hops,
            duration_seconds=monotonic() - self._began,
        )
        self._publisher.publish(event)
