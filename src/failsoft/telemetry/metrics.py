"""Prometheus metrics: counted from events, gauges read at each scrape.

The instruments are in seconds, tokens and US dollars.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from failsoft.classify.truth_table import ROWS
from failsoft.errors import extra
from failsoft.telemetry.events import (
    AttemptFinished,
    BreakerChanged,
    CacheLookedUp,
    DuplicateJoined,
    Event,
    FellBack,
    RequestFinished,
    RetryScheduled,
    StoreChanged,
)
from failsoft.telemetry.labels import Labels, State

with extra("server", "failsoft.telemetry.metrics"):
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["METRICS", "Instruments", "Metric", "Metrics"]


# From a refusal by an open breaker to the longest an answer may go on.
_DURATIONS = (0.005, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)


class Metric(NamedTuple):
    """A row of the table."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    about: str


# Name, kind, labels, meaning.
_TABLE: Final = """
requests_total | counter | route level outcome category fault | requests that ended, and how; category and fault are `none` on success
served_total | counter | route target position | requests that a model answered, by its place in the chain, from 0
attempts_total | counter | target category reason | calls to targets; category and reason are `none` on success, `cancelled` where the caller left
errors_total | counter | category fault | attempts that failed
soft_ends_total | counter | target | answers that were whole, but whose stream did not end within a second
retries_total | counter | route reason | waits before a further call: `backoff`, `turn`, `bench`, `ramp`, `slow_start`, `probe`
fallbacks_total | counter | route from to | hops from one target to the next
breaker_transitions_total | counter | target to | changes of a breaker's state
cache_lookups_total | counter | result | looks for a saved answer: `same` words, `alike` in meaning, or `miss`
stream_interruptions_total | counter | reason | streams that were cut short after some text was shown
duplicates_joined_total | counter | | requests that came again, and joined the first or were given its answer
store_outages_total | counter | store | times that the store shared by all processes (`shared_state`) was given up
tokens_total | counter | target kind | tokens by the provider's own figures: `input`, `output`, `cache_read`, `cache_write`
cost_usd_total | counter | target | their price in US dollars, where it is known
wasted_tokens_total | counter | kind | tokens that were paid for and not shown
wasted_cost_usd_total | counter | | their price in US dollars, where it is known
request_duration_seconds | histogram | route | from the start of a request to its end
time_to_first_content_seconds | histogram | route | from the start of a request to the first of its answer
budget_wait_seconds | histogram | route | what a retry waited for its turn in the retry budget
attempt_duration_seconds | histogram | target | from the start of a call to its end
breaker_state | gauge | target | 0 closed, 1 half open, 2 open
route_breaker_state | gauge | route | the same of a route, which is open when all its targets are
inflight | gauge | route | requests under way
queue_depth | gauge | | requests that wait for a place
probe_waiters | gauge | | requests that wait for the result of a probe
retry_budget_ratio | gauge | | retries as a share of requests, over the last 10 seconds, of the route with most
store_up | gauge | store | 1 where a store works, else 0: `request_log`, `cache`, `shared_state`
"""  # noqa: E501 - a table is read in lines

# Where several processes are shown as one; of the others the highest is.
_OVER: Final = {
    "inflight": "livesum",
    "queue_depth": "livesum",
    "probe_waiters": "livesum",
    "store_up": "livemin",
}


def _rows() -> dict[str, Metric]:
    rows = ([cell.strip() for cell in line.split("|")] for line in _TABLE.strip().splitlines())
    return {
        name: Metric(kind, tuple(labels.split()), about)  # type: ignore[arg-type]  # as tested
        for name, kind, labels, about in rows
    }


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(_rows())
"""Every metric by its name, which is written with ``failsoft_`` in front."""


class Instruments:
    """One of each in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Gauge] = {}
        self.histograms: dict[str, Histogram] = {}
        for name, metric in METRICS.items():
            self._make(f"failsoft_{name}", name, metric, registry)

    def _make(self, full: str, name: str, metric: Metric, registry: CollectorRegistry) -> None:
        about, labels = metric.about, metric.labels
        if metric.kind == "counter":
            self.counters[name] = Counter(full, about, labels, registry=registry)
        elif metric.kind == "gauge":
            over = _OVER.get(name, "livemax")
            self.gauges[name] = Gauge(
                full,
                about,
                labels,
                registry=registry,
                multiprocess_mode=over,  # type: ignore[arg-type]  # as tested
            )
        else:
            self.histograms[name] = Histogram(
                full, about, labels, registry=registry, buckets=_DURATIONS
            )


_STATES = {"closed": 0, "half_open": 1, "open": 2}
_KINDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}


# Callers may name models and routes that do not exist.
_KEPT = 1000


class _Series(NamedTuple):
    """The counters that count together, and the one label they share."""

    name: str
    counters: list[Counter]
    duration: Histogram


class Metrics:
    """A subscriber that counts. Safe under threads.

        metrics = Metrics(Labels.of(routes=("chat",), targets=("anthropic/claude-opus-5-5",)))
        ai.subscribe(metrics)

    ``registry`` is where the metrics are; one of its own without it. Where
    ``PROMETHEUS_MULTIPROC_DIR`` is set, all processes that share the folder are shown as one.
    """

    def __init__(self, labels: Labels, *, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._labels = labels
        self._all = Instruments(self.registry)
        # The library takes three times as long to find a series as to count in it.
        self._counter = cache(self._find_counter)
        self._histogram = cache(self._find_histogram)
        self._attempts = lru_cache(_KEPT)(self._find_attempts)
        self._requests = lru_cache(_KEPT)(self._find_requests)
        self._counts: Mapping[type[Event], Callable[[Any], None]] = {
            AttemptFinished: self._attempt,
            RequestFinished: self._request,
            RetryScheduled: self._retry,
            FellBack: self._fallback,
            BreakerChanged: self._breaker,
            CacheLookedUp: self._lookup,
            DuplicateJoined: self._joined,
            StoreChanged: self._store,
        }
        self._begin_at_zero()

    def __call__(self, event: Event) -> None:
        """Count an event."""
        count = self._counts.get(type(event))
        if count is not None:
            count(event)

    def show(self, state: State) -> None:
        """Set the gauges."""
        gauges = self._all.gauges
        for target, name in state.targets.items():
            gauges["breaker_state"].labels(self._labels.target(target)).set(_STATES[name])
        for route, name in state.routes.items():
            gauges["route_breaker_state"].labels(self._labels.route(route)).set(_STATES[name])
        inflight = dict.fromkeys(self._labels.routes, 0)
        for route, count in state.inflight.items():
            name = self._labels.route(route)
            inflight[name] = inflight.get(name, 0) + count
        for route, count in inflight.items():
            gauges["inflight"].labels(route).set(count)
        for store, up in state.stores.items():
            gauges["store_up"].labels(store).set(up)
        gauges["queue_depth"].set(state.queued)
        gauges["probe_waiters"].set(state.probe_waiters)
        gauges["retry_budget_ratio"].set(state.budget_ratio)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(_Told(self.registry))
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _begin_at_zero(self) -> None:
        """A series that appears with its first count hides that count from ``increase()``."""
        pairs = sorted({(row.category, row.fault) for row in ROWS.values()})
        counters = self._all.counters
        for category, fault in pairs:
            counters["errors_total"].labels(category, fault)
        for route in self._labels.routes:
            for level in ("full", "cached", "rule"):
                counters["requests_total"].labels(route, level, "success", "none", "none")
            for category, fault in pairs:
                counters["requests_total"].labels(route, "minimal", "error", category, fault)
            for position, target in enumerate(self._labels.targets):
                counters["served_total"].labels(route, target, str(position))
        for reason in self._labels.reasons:
            counters["stream_interruptions_total"].labels(reason)

    def _find_counter(self, name: str, *labels: str) -> Counter:
        counter = self._all.counters[name]
        return counter.labels(*labels) if labels else counter

    def _find_histogram(self, name: str, label: str) -> Histogram:
        return self._all.histograms[name].labels(label)

    def _attempt(self, event: AttemptFinished) -> None:
        target, counters, duration = self._attempts(
            event.target, event.outcome, event.category, event.reason, event.fault
        )
        for counter in counters:
            counter.inc()
        duration.observe(event.duration_seconds)
        for name, count in event.tokens.items():
            self._counter("tokens_total", target, _KINDS[name]).inc(count)
        if event.cost_usd:
            self._counter("cost_usd_total", target).inc(event.cost_usd)
        if event.soft_end:
            self._counter("soft_ends_total", target).inc()

    def _find_attempts(
        self, target: str, outcome: str, category: str, reason: str, fault: str
    ) -> _Series:
        """The series of attempts that ended so."""
        counters = []
        target = self._labels.target(target)
        if outcome == "failure":
            reason = self._labels.reason(reason)
            counters.append(self._counter("errors_total", category, fault))
        else:
            category = reason = "none" if outcome == "success" else "cancelled"
        counters.append(self._counter("attempts_total", target, category, reason))
        return _Series(target, counters, self._histogram("attempt_duration_seconds", target))

    def _request(self, event: RequestFinished) -> None:
        route, counters, duration = self._requests(
            event.route,
            (event.level or "none", event.outcome, event.category, event.fault or "none"),
            event.target if event.outcome == "success" else "",
            event.position,
        )
        for counter in counters:
            counter.inc()
        duration.observe(event.duration_seconds)
        if event.first_content_seconds is not None:
            first_content = self._histogram("time_to_first_content_seconds", route)
            first_content.observe(event.first_content_seconds)
        if event.interrupted:
            reason = self._labels.reason(event.reason)
            self._counter("stream_interruptions_total", reason).inc()
        for name, count in event.wasted_tokens.items():
            self._counter("wasted_tokens_total", _KINDS[name]).inc(count)
        if event.wasted_cost_usd:
            self._counter("wasted_cost_usd_total").inc(event.wasted_cost_usd)

    def _find_requests(
        self, route: str, how: tuple[str, ...], served_by: str, position: int | None
    ) -> _Series:
        """The series of requests that ended so."""
        route = self._labels.route(route)
        counters = [self._counter("requests_total", route, *how)]
        if served_by:
            target = self._labels.target(served_by)
            counters.append(self._counter("served_total", route, target, str(position)))
        return _Series(route, counters, self._histogram("request_duration_seconds", route))

    def _retry(self, event: RetryScheduled) -> None:
        route = self._labels.route(event.route)
        self._counter("retries_total", route, event.reason).inc()
        if event.reason == "turn":
            self._histogram("budget_wait_seconds", route).observe(event.wait_seconds)

    def _fallback(self, event: FellBack) -> None:
        ends = (self._labels.target(event.from_target), self._labels.target(event.to_target))
        self._counter("fallbacks_total", self._labels.route(event.route), *ends).inc()

    def _breaker(self, event: BreakerChanged) -> None:
        target = self._labels.target(event.target)
        self._counter("breaker_transitions_total", target, event.to_state).inc()
        self._all.gauges["breaker_state"].labels(target).set(_STATES[event.to_state])

    def _lookup(self, event: CacheLookedUp) -> None:
        self._counter("cache_lookups_total", event.result).inc()

    def _joined(self, _event: DuplicateJoined) -> None:
        self._counter("duplicates_joined_total").inc()

    def _store(self, event: StoreChanged) -> None:
        if not event.up:
            self._counter("store_outages_total", event.store).inc()


class _Told:
    """A registry without the times at which series began, which would be as many series again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Family]:
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family
