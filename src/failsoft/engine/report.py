"""Reports what happens to one request to the health page and the subscribers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from failsoft.attempt import Attempt
from failsoft.classify.verdict import ErrorCategory, Fault, Verdict
from failsoft.config.settings import Settings
from failsoft.engine.answer import Answer
from failsoft.engine.deadline import monotonic
from failsoft.engine.request import Request
from failsoft.engine.runtime import Core
from failsoft.policy.plan_events import Call
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

__all__ = ["Reporter", "Waste", "token_counts", "waste_of"]


_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


class Waste(NamedTuple):
    """See the fields of :class:`~failsoft.engine.answer.Answer`."""

    tokens: Mapping[str, int] = MappingProxyType({})
    cost_usd: float | None = 0.0
    lost_cache_tokens: int = 0


_NOTHING = Waste()


def token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """The provider's counts by its own names, those of nothing left out."""
    return {
        name: count for name in _TOKENS if isinstance(count := usage.get(name), int) and count > 0
    }


def waste_of(unused: Sequence[Attempt], served: Attempt | None, settings: Settings) -> Waste:
    """The waste of the ``unused`` attempts of a request that one of another gave the answer to."""
    if not unused:
        return _NOTHING
    return Waste(_tokens(unused), _cost_usd(unused, settings), _lost_cache(unused, served))


def _tokens(unused: Sequence[Attempt]) -> dict[str, int]:
    sums = {name: sum(_count(attempt, name) for attempt in unused) for name in _TOKENS}
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


class Reporter:
    """One request's events. Makes none without a subscriber."""

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
            soft_end=attempt.soft_end,
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
        ours = answer.verdict is not None and answer.verdict.category is ErrorCategory.AUTH_ERROR
        self._tally.request_ended(
            now, failed=failed, fell_back=bool(answer.position), misconfigured=ours
        )
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
    """Seconds from the start of the request to the first content that was sent on."""
    for attempt in answer.attempts:
        given = attempt.outcome == "success" or attempt.shown_chars
        if given and attempt.first_content_seconds is not None:
            return attempt.started_seconds + attempt.first_content_seconds
    return None
