"""OpenTelemetry spans: one a request, a child an attempt. No prompt and no answer is in them.

Attributes of an attempt are those of the GenAI semantic conventions (as of 1.37, which are still
incubating), its own are named ``failsoft.…``. Which requests are sampled is the application's own
decision, in the SDK that it sets up: without one nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from failsoft.errors import extra
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

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["Traces"]

with extra("otel", "Failsoft.trace"):
    from opentelemetry import propagate, trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider


_GIGA = 1_000_000_000
_TOKENS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_creation_input_tokens": "gen_ai.usage.cache_creation.input_tokens",
}


class Traces:
    """A subscriber that makes spans, to be given to :meth:`failsoft.Failsoft.trace`.

    ``provider`` is where tracers come from, the application's global one without it. A request's
    span is a child of whatever span is current where the request is made.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("failsoft", tracer_provider=provider)
        self._requests: dict[str, Span] = {}
        self._attempts: dict[tuple[str, int], Span] = {}
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            RequestStarted: self._begin,
            AttemptStarted: self._begin_attempt,
            AttemptFinished: self._end_attempt,
            RetryScheduled: self._mark,
            FellBack: self._mark,
            Degraded: self._mark,
            RequestFinished: self._end,
        }

    def __call__(self, event: Event) -> None:
        """Begin, mark or end a span."""
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(event)

    def headers(self, request_id: str, number: int) -> Mapping[str, str]:
        """What a call carries so that the other side's spans belong to this attempt's."""
        span = self._attempts.get((request_id, number)) or self._requests.get(request_id)
        carrier: dict[str, str] = {}
        if span is not None:
            propagate.inject(carrier, trace.set_span_in_context(span))
        return carrier

    def _begin(self, event: RequestStarted) -> None:
        span = self._tracer.start_span(
            f"failsoft {event.route}",
            attributes={
                "failsoft.request_id": event.request_id,
                "failsoft.route": event.route,
                "failsoft.stream": event.stream,
            },
            start_time=_nanoseconds(event),
        )
        if span.get_span_context().is_valid:
            self._requests[event.request_id] = span

    def _begin_attempt(self, event: AttemptStarted) -> None:
        parent = self._requests.get(event.request_id)
        if parent is None or not parent.is_recording():
            return
        provider, _, model = event.target.partition("/")
        self._attempts[event.request_id, event.number] = self._tracer.start_span(
            f"chat {model}",
            context=trace.set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "failsoft.attempt": event.number,
            },
            start_time=_nanoseconds(event),
        )

    def _end_attempt(self, event: AttemptFinished) -> None:
        span = self._attempts.pop((event.request_id, event.number), None)
        if span is None:
            return
        told: dict[str, AttributeValue] = {
            _TOKENS[name]: count for name, count in event.tokens.items()
        }
        told["failsoft.outcome"] = event.outcome
        if event.first_content_seconds is not None:
            told["failsoft.first_content_seconds"] = event.first_content_seconds
        if event.outcome == "failure":
            told["error.type"] = event.reason
            told["failsoft.category"] = event.category
            span.set_status(Status(StatusCode.ERROR, f"{event.category}: {event.reason}"))
        span.set_attributes(told)
        span.end(_nanoseconds(event))

    def _mark(self, event: RetryScheduled | FellBack | Degraded) -> None:
        span = self._requests.get(event.request_id)
        if span is not None:
            span.add_event(*_told(event), timestamp=_nanoseconds(event))

    def _end(self, event: RequestFinished) -> None:
        span = self._requests.pop(event.request_id, None)
        if span is None:
            return
        if span.is_recording():
            span.set_attributes(_ending(event))
        if event.outcome == "error":
            span.set_status(Status(StatusCode.ERROR, f"{event.category}: {event.reason}"))
        span.end(_nanoseconds(event))


def _ending(event: RequestFinished) -> dict[str, AttributeValue]:
    told: dict[str, AttributeValue] = {
        "failsoft.outcome": event.outcome,
        "failsoft.level": event.level,
        "failsoft.attempts": event.attempts,
        "failsoft.hops": event.hops,
    }
    if event.target:
        told["failsoft.target"] = event.target
    if event.outcome == "error":
        told |= {"error.type": event.reason, "failsoft.category": event.category}
        told["failsoft.fault"] = event.fault
    return told


def _told(event: RetryScheduled | FellBack | Degraded) -> tuple[str, dict[str, AttributeValue]]:
    match event:
        case RetryScheduled():
            return "retry_scheduled", {"reason": event.reason, "wait_seconds": event.wait_seconds}
        case FellBack():
            ends = {"from": event.from_target, "to": event.to_target}
            return "fell_back", {**ends, "reason": event.reason}
        case Degraded():
            return "degraded", {"level": event.level, "reason": event.reason}


def _nanoseconds(event: Event) -> int:
    return int(event.at * _GIGA)
