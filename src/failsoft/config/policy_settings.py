"""The settings by which the policy decides: timers, retries, breakers, bulkheads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from failsoft.config.fields import DAY, MANY, SettingSection, choice, number, setting, switch, whole

__all__ = ["CLASSIC", "BreakerSettings", "BulkheadSettings", "RetrySettings", "TimerSettings"]


@dataclass(frozen=True, kw_only=True)
class TimerSettings(SettingSection):
    """When an attempt has gone on too long. Timers run on content, never on pings or bytes."""

    _section = "timers."

    first_content_seconds: float = setting(
        15.0,
        "the longest wait for the first content of a target, and what holds until a shorter one is "
        "learned; what a prompt or thought adds comes on top",
        number(0.05, DAY),
    )
    first_content_min_seconds: float = setting(
        3.0,
        "the least that is learned, and the least of a later target that is given half; as much as "
        "`first_content_seconds`, nothing is learned",
        number(0.05, DAY),
        at_most="first_content_seconds",
    )
    later_targets: Literal["own", "halved"] = setting(
        "own",
        "own: each target has its own learned period; halved: nothing is learned, and each later "
        "target has half of the wait of the one before",
        choice("own", "halved"),
    )
    thinking_silence_seconds: float = setting(
        120.0,
        "the longest silence of a model that is asked to think, before its first content and in a "
        "block of thought; more where its budget of thought needs more at 35 tokens a second",
        number(0.05, DAY),
    )
    input_tokens_per_second: float = setting(
        8000.0,
        "a second more to the first content for this many input tokens",
        number(1, 1_000_000_000),
    )
    idle_seconds: float = setting(
        20.0, "the longest silence between two contents", number(0.05, DAY)
    )
    wrapped_seconds: float = setting(
        30.0,
        "wait for the whole of a plain answer through a wrapped client, which cannot be seen into",
        number(0.05, DAY),
    )
    wrapped_tokens_per_second: float = setting(
        35.0,
        "raises that wait where max_tokens at this speed take longer",
        number(1, 1_000_000),
    )


@dataclass(frozen=True, kw_only=True)
class RetrySettings(SettingSection):
    """How often and how soon to try again."""

    _section = "retry."

    max_attempts: int = setting(6, "attempts of a request over all its targets", whole(1, 100))
    base_delay_seconds: float = setting(
        1.0, "backoff before the first retry", number(0, DAY), at_most="max_delay_seconds"
    )
    max_delay_seconds: float = setting(60.0, "the longest backoff", number(0, DAY))
    overloaded_min_seconds: float = setting(
        1.0,
        "the least wait before a target is called again that was overloaded, "
        "or limited its rate without a stated wait",
        number(0, DAY),
    )
    strategy: Literal["fallback_first", "retry_first"] = setting(
        "fallback_first",
        "where a transient failure goes: the next target, or the same once more",
        choice("fallback_first", "retry_first"),
    )
    jitter: Literal["full", "quarter"] = setting(
        "full",
        "full: from 0 to the backoff; quarter: the backoff ± 25 %",
        choice("full", "quarter"),
    )
    rate_limit_default_seconds: float = setting(
        30.0,
        "bench after a second 429 within 60 s that names no wait",
        number(0, 900),
        at_most="bench_max_seconds",
    )
    budget_ratio: float = setting(
        0.5, "retries that may begin, as a share of requests", number(0, 1)
    )
    budget_window_seconds: int = setting(
        10,
        "seconds over which requests are counted, and of retries that may be saved up",
        whole(1, 600),
    )
    budget_floor_per_second: float = setting(
        3.0, "retries a second that may always begin", number(0, MANY)
    )
    budget_wait_seconds: float = setting(
        10.0, "the longest wait of a request for the turns of its retries", number(0, DAY)
    )
    bench_max_seconds: float = setting(900.0, "the longest bench before one probe", number(1, DAY))
    park_seconds: float = setting(
        300.0,
        "first park of a dead account or missing model",
        number(1, DAY),
        at_most="park_max_seconds",
    )
    park_max_seconds: float = setting(3600.0, "the longest park before one probe", number(1, DAY))


@dataclass(frozen=True, kw_only=True)
class BreakerSettings(SettingSection):
    """When a target is taken out, and how it comes back."""

    _section = "breaker."

    failure_threshold: int = setting(10, "failures in a row that open it", whole(1, MANY))
    failure_span_seconds: float = setting(
        0.25, "the least time those failures span", number(0, DAY)
    )
    timeout_weight: int = setting(3, "failures that one timeout counts as", whole(1, MANY))
    failure_ratio: float = setting(0.75, "share of failed calls that opens it", number(0.01, 1))
    min_calls: int = setting(30, "calls in the window before the ratio counts", whole(1, MANY))
    window_seconds: float = setting(60.0, "length of the window", number(1, DAY))
    window_buckets: int = setting(10, "buckets of the window", whole(1, 600))
    recovery: Literal["adaptive", "fixed"] = setting(
        "adaptive", "how an open target is probed", choice("adaptive", "fixed")
    )
    recovery_timeout_seconds: float = setting(
        15.0, "the longest time between its probes; fixed, the time", number(0.01, DAY)
    )
    probes: int = setting(1, "probes at a time while half open", whole(1, MANY))
    success_threshold: int = setting(
        2, "successes after which one failure opens it no more", whole(1, MANY)
    )
    ramp_seconds: float = setting(10.0, "slow start after a bench", number(0, DAY))
    metrics_only: bool = setting(
        default=False, doc="count and report, but never reject", kind=switch()
    )


@dataclass(frozen=True, kw_only=True)
class BulkheadSettings(SettingSection):
    """How much may be in flight."""

    _section = "bulkhead."

    route_limit: int = setting(1000, "requests in flight on a route", whole(1, MANY))
    route_queue: int = setting(1000, "requests waiting for a place on a route", whole(0, MANY))
    target_limit: int = setting(1000, "attempts in flight on a target", whole(1, MANY))


CLASSIC: Final[Mapping[str, Mapping[str, Any]]] = {
    "timers": {
        "first_content_seconds": 30.0,
        "first_content_min_seconds": 10.0,
        "later_targets": "halved",
    },
    "retry": {"jitter": "quarter"},
    "breaker": {
        "failure_threshold": 5,
        "failure_span_seconds": 0.0,
        "timeout_weight": 1,
        "recovery": "fixed",
        "recovery_timeout_seconds": 60.0,
    },
}
"""The defaults of ``policy = "classic"`` that are not those of ``adaptive``, by section."""
