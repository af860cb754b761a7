"""What is counted from which event, in series that are bounded."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from failsoft.telemetry.events import (
    AttemptFinished,
    BreakerChanged,
    CacheLookedUp,
    DuplicateJoined,
    FellBack,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    StoreChanged,
)
from failsoft.telemetry.labels import Labels, State
from failsoft.telemetry.metrics import METRICS, Metrics

BEST, NEXT = "anthropic/claude-opus-5-5", "anthropic/claude-sonnet-5-5"


@pytest.fixture
def metrics():
    return Metrics(Labels.of(routes=("chat", "faq"), targets=(BEST, NEXT)))


def attempt(**changes):
    fields = {
        "at": 0.0,
        "request_id": "req_1",
        "target": BEST,
        "number": 1,
        "outcome": "success",
        "category": "",
        "reason": "",
        "fault": "",
        "duration_seconds": 0.5,
        "first_content_seconds": 0.1,
        "detail": "",
    }
    return AttemptFinished(**fields | changes)


def overloaded(**changes):
    told = {"outcome": "failure", "category": "transient", "reason": "overloaded"}
    return attempt(**told, fault="provider", **changes)


def request(**changes):
    fields = {
        "at": 0.0,
        "request_id": "req_1",
        "route": "chat",
        "level": "full",
        "outcome": "success",
        "category": "none",
        "reason": "",
        "fault": "",
        "target": BEST,
        "position": 0,
        "attempts": 1,
        "hops": 0,
        "duration_seconds": 0.5,
    }
    return RequestFinished(**fields | changes)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"failsoft_{name}", labels)


def series(metrics):
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *sorted(sample.labels.items()))
        for family in families
        for sample in family.samples
    }


def test_a_request_that_a_model_answered(metrics):
    metrics(request(first_content_seconds=0.2))
    how = {"level": "full", "outcome": "success", "category": "none", "fault": "none"}
    assert value(metrics, "requests_total", route="chat", **how) == 1
    assert value(metrics, "served_total", route="chat", target=BEST, position="0") == 1
    assert value(metrics, "request_duration_seconds_sum", route="chat") == 0.5
    assert value(metrics, "time_to_first_content_seconds_sum", route="chat") == 0.2


def test_a_request_that_failed_was_served_by_nobody(metrics):
    metrics(
        request(
            level="minimal",
            outcome="error",
            category="transient",
            reason="overloaded",
            fault="provider",
            target="",
            position=None,
        )
    )
    how = {"level": "minimal", "outcome": "error", "category": "transient", "fault": "provider"}
    assert value(metrics, "requests_total", route="chat", **how) == 1
    assert value(metrics, "served_total", route="chat", target=BEST, position="0") == 0
    assert value(metrics, "time_to_first_content_seconds_count", route="chat") in (None, 0)


def test_a_request_that_nobody_waited_for(metrics):
    metrics(request(level="", outcome="cancelled", fault="user", target="", position=None))
    how = {"level": "none", "outcome": "cancelled", "category": "none", "fault": "user"}
    assert value(metrics, "requests_total", route="chat", **how) == 1


def test_attempts_their_failures_and_what_they_cost(metrics):
    metrics(overloaded())
    metrics(attempt(tokens={"input_tokens": 9, "cache_creation_input_tokens": 4}, cost_usd=0.5))
    metrics(attempt(outcome="cancelled"))
    for category, reason in (
        ("transient", "overloaded"),
        ("none", "none"),
        ("cancelled", "cancelled"),
    ):
        told = {"target": BEST, "category": category, "reason": reason}
        assert value(metrics, "attempts_total", **told) == 1
    assert value(metrics, "errors_total", category="transient", fault="provider") == 1
    assert value(metrics, "attempt_duration_seconds_count", target=BEST) == 3
    assert value(metrics, "tokens_total", target=BEST, kind="input") == 9
    assert value(metrics, "tokens_total", target=BEST, kind="cache_write") == 4
    assert value(metrics, "cost_usd_total", target=BEST) == 0.5


def test_the_ways_between(metrics):
    plain = {"at": 0.0, "request_id": "req_1", "route": "faq"}
    metrics(RequestStarted(**plain, stream=False))
    metrics(RetryScheduled(**plain, wait_seconds=1.0, reason="backoff"))
    metrics(FellBack(**plain, from_target=BEST, to_target=NEXT, reason="overloaded"))
    metrics(CacheLookedUp(**plain, result="alike"))
    metrics(DuplicateJoined(**plain))
    for up in (False, True):
        metrics(StoreChanged(at=0.0, store="shared_state", up=up, problem=""))
    metrics(
        BreakerChanged(
            at=0.0,
            target=BEST,
            from_state="closed",
            to_state="open",
            reason="failures in a row",
            open_seconds=5.0,
        )
    )
    assert value(metrics, "retries_total", route="faq", reason="backoff") == 1
    assert value(metrics, "fallbacks_total", route="faq", **{"from": BEST, "to": NEXT}) == 1
    assert value(metrics, "cache_lookups_total", result="alike") == 1
    assert value(metrics, "duplicates_joined_total") == 1
    assert value(metrics, "store_outages_total", store="shared_state") == 1
    assert value(metrics, "breaker_transitions_total", target=BEST, to="open") == 1
    assert value(metrics, "breaker_state", target=BEST) == 2


def test_a_stream_cut_short_and_what_it_wasted(metrics):
    told = {"level": "minimal", "outcome": "error", "category": "transient", "fault": "network"}
    wasted = {"wasted_tokens": {"output_tokens": 7}, "wasted_cost_usd": 0.25}
    metrics(request(**told, reason="stream_cut", interrupted=True, **wasted))
    assert value(metrics, "stream_interruptions_total", reason="stream_cut") == 1
    assert value(metrics, "wasted_tokens_total", kind="output") == 7
    assert value(metrics, "wasted_cost_usd_total") == 0.25


def test_whole_answers_whose_stream_did_not_end_are_counted(metrics):
    metrics(attempt())
    metrics(attempt(soft_end=True))
    assert value(metrics, "soft_ends_total", target=BEST) == 1


def test_a_series_begins_with_what_it_counts(metrics):
    metrics(request())
    metrics(attempt())
    assert value(metrics, "tokens_total", target=BEST, kind="input") is None
    assert value(metrics, "cost_usd_total", target=BEST) is None
    assert value(metrics, "time_to_first_content_seconds_count", route="chat") is None
    metrics(request(first_content_seconds=0.2))
    metrics(attempt(tokens={"input_tokens": 2}))
    assert value(metrics, "tokens_total", target=BEST, kind="input") == 2
    assert value(metrics, "time_to_first_content_seconds_count", route="chat") == 1
    assert value(metrics, "request_duration_seconds_count", route="chat") == 2


def test_who_was_to_answer_is_told_apart_from_who_did(metrics):
    failed = {"outcome": "error", "category": "transient", "fault": "provider"}
    metrics(request(**failed, level="minimal"))
    metrics(request())
    metrics(request(target=NEXT, position=1))
    served = [
        value(metrics, "served_total", route="chat", target=target, position=position)
        for target, position in ((BEST, "0"), (NEXT, "1"))
    ]
    assert served == [1, 1]


def test_gauges_are_those_of_the_moment(metrics):
    state = State(
        targets={BEST: "half_open", NEXT: "closed"},
        routes={"chat": "open", "faq": "closed"},
        inflight={"chat": 3},
        queued=2,
        budget_ratio=0.25,
        stores={"cache": True, "request_log": False},
    )
    metrics.show(state)
    assert [value(metrics, "breaker_state", target=one) for one in (BEST, NEXT)] == [1, 0]
    assert [value(metrics, "route_breaker_state", route=one) for one in ("chat", "faq")] == [2, 0]
    assert [value(metrics, "inflight", route=one) for one in ("chat", "faq")] == [3, 0]
    assert value(metrics, "queue_depth") == 2
    assert value(metrics, "retry_budget_ratio") == 0.25
    assert [value(metrics, "store_up", store=one) for one in ("cache", "request_log")] == [1, 0]


def test_the_first_failure_is_an_increase(metrics):
    """A series that begins with its first count would have none."""
    how = {"level": "minimal", "outcome": "error", "category": "auth_error", "fault": "operator"}
    assert value(metrics, "errors_total", category="auth_error", fault="operator") == 0
    assert value(metrics, "requests_total", route="faq", **how) == 0
    assert value(metrics, "stream_interruptions_total", reason="stream_cut") == 0


def test_names_that_nobody_listed_add_no_series(metrics):
    def tell(name):
        metrics(request(route=name, target=name))
        metrics(overloaded(target=name))
        metrics(attempt(outcome="failure", category="unknown", reason=name, fault="provider"))
        plain = {"at": 0.0, "request_id": name, "route": name}
        metrics(FellBack(**plain, from_target=name, to_target=name, reason=name))
        metrics(RetryScheduled(**plain, wait_seconds=1.0, reason="backoff"))
        metrics.show(State(targets={}, routes={}, inflight={name: 1}))

    tell("first")
    before = series(metrics)
    for number in range(1000):
        tell(f"model-{number}")
    assert series(metrics) == before
    assert len(before) < 400
    unknown = {"category": "transient", "reason": "overloaded"}
    assert value(metrics, "attempts_total", target="other", **unknown) == 1001


def test_the_page_has_no_series_but_those_that_are_documented(metrics):
    metrics(request())
    suffixes = ("_bucket", "_sum", "_count", "")
    known = {f"failsoft_{name}{suffix}" for name in METRICS for suffix in suffixes}
    assert {name for name, *_ in series(metrics)} <= known
