"""The metrics by name: what they mean, and their labels. Seconds, tokens and US dollars."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["METRICS", "Instruments", "Metric"]

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
retries_total | counter | route reason | waits before a further call: `backoff`, `bench`, `ramp`
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
attempt_duration_seconds | histogram | target | from the start of a call to its end
breaker_state | gauge | target | 0 closed, 1 half open, 2 open
route_breaker_state | gauge | route | the same of a route, which is open when all its targets are
inflight | gauge | route | requests under way
queue_depth | gauge | | requests that wait for a place
retry_budget_ratio | gauge | | retries as a share of requests, over the last 10 seconds
store_up | gauge | store | 1 where a store works, else 0: `request_log`, `cache`, `shared_state`
"""  # noqa: E501 - a table is read in lines

# Where several processes are shown as one; of the others the highest is.
_OVER: Final = {"inflight": "livesum", "queue_depth": "livesum", "store_up": "livemin"}


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
