"""Prometheus metrics: counted from events, gauges read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector

from failsoft.classify.rows import ROWS
from failsoft.telemetry.events import (
    AttemptFinished,
    BreakerChanged,
    CacheLookedUp,
    DuplicateJoined,
    Event,
    FellBack,
    RequestFinished,
    RetryScheduled,
)
from failsoft.telemetry.instruments import Instruments
from failsoft.telemetry.labels import Labels
from failsoft.telemetry.state import State

__all__ = ["Metrics"]

_STATES = {"closed": 0, "half_open": 1, "open": 2}
_KINDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write",
}


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
        self._children: dict[tuple[Any, ...], Any] = {}
        self._counts: Mapping[type[Event], Callable[[Any], None]] = {
            AttemptFinished: self._attempt,
            RequestFinished: self._request,
            RetryScheduled: self._retry,
            FellBack: self._fallback,
            BreakerChanged: self._breaker,
            CacheLookedUp: self._lookup,
            DuplicateJoined: self._joined,
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

    def _add(self, name: str, *labels: str, amount: float = 1) -> None:
        self._child(self._all.counters, name, labels).inc(amount)

    def _observe(self, name: str, label: str, seconds: float) -> None:
        self._child(self._all.histograms, name, (label,)).observe(seconds)

    def _child(
        self, among: Mapping[str, Counter | Histogram], name: str, labels: tuple[str, ...]
    ) -> Any:
        """One series; kept here, where it is found in a tenth of the library's time."""
        key = (name, labels)
        child = self._children.get(key)
        if child is None:
            child = among[name].labels(*labels) if labels else among[name]
            self._children[key] = child
        return child

    def _attempt(self, event: AttemptFinished) -> None:
        target = self._labels.target(event.target)
        if event.outcome == "failure":
            category, reason = event.category, self._labels.reason(event.reason)
            self._add("errors_total", category, event.fault)
        else:
            category = reason = "none" if event.outcome == "success" else "cancelled"
        self._add("attempts_total", target, category, reason)
        self._observe("attempt_duration_seconds", target, event.duration_seconds)
        for name, count in event.tokens.items():
            self._add("tokens_total", target, _KINDS[name], amount=count)
        if event.cost_usd:
            self._add("cost_usd_total", target, amount=event.cost_usd)

    def _request(self, event: RequestFinished) -> None:
        route = self._labels.route(event.route)
        how = (event.level or "none", event.outcome, event.category, event.fault or "none")
        self._add("requests_total", route, *how)
        if event.target and event.outcome == "success":
            self._add("served_total", route, self._labels.target(event.target), str(event.position))
        self._observe("request_duration_seconds", route, event.duration_seconds)
        if event.first_content_seconds is not None:
            self._observe("time_to_first_content_seconds", route, event.first_content_seconds)
        if event.interrupted:
            self._add("stream_interruptions_total", self._labels.reason(event.reason))
        for name, count in event.wasted_tokens.items():
            self._add("wasted_tokens_total", _KINDS[name], amount=count)
        if event.wasted_cost_usd:
            self._add("wasted_cost_usd_total", amount=event.wasted_cost_usd)

    def _retry(self, event: RetryScheduled) -> None:
        self._add("retries_total", self._labels.route(event.route), event.reason)

    def _fallback(self, event: FellBack) -> None:
        ends = (self._labels.target(event.from_target), self._labels.target(event.to_target))
        self._add("fallbacks_total", self._labels.route(event.route), *ends)

    def _breaker(self, event: BreakerChanged) -> None:
        target = self._labels.target(event.target)
        self._add("breaker_transitions_total", target, event.to_state)
        self._all.gauges["breaker_state"].labels(target).set(_STATES[event.to_state])

    def _lookup(self, event: CacheLookedUp) -> None:
        self._add("cache_lookups_total", event.result)

    def _joined(self, _event: DuplicateJoined) -> None:
        self._add("duplicates_joined_total")


class _Told:
    """A registry without the times at which series began, which would be as many series again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Family]:
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family
