"""Judges the alerts in the process itself, for a deployment without Prometheus.

The same table, the same counters: what happens is counted under the names and labels that it has
in the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from failsoft.policy.window import Window
from failsoft.telemetry.conditions import (
    ALERTS,
    DAY_SECONDS,
    REQUESTS,
    WINDOW_SECONDS,
    Alert,
    Rise,
    RouteOpen,
    Seen,
    Selector,
    Share,
    StoreDown,
)
from failsoft.telemetry.events import AttemptFinished, Event, RequestFinished
from failsoft.telemetry.state import State

__all__ = ["Evaluator", "Firing", "counted"]

_BUCKETS = 30
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One alert that holds: of which route or store, and how much of it, where there is any."""

    alert: Alert
    subject: str = ""
    value: float | None = None


class Evaluator:
    """Counts the last five minutes and the last two days, and says which alerts hold.

    ``clock`` gives monotonic seconds. Counts end with the process.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._recent = {one: Window(WINDOW_SECONDS, _BUCKETS) for one in _recent()}
        self._today = {one: Window(DAY_SECONDS, _HOURS) for one in _daily()}
        self._two_days = {one: Window(2 * DAY_SECONDS, 2 * _HOURS) for one in _daily()}
        self._windows: dict[str, list[tuple[Selector, Window]]] = {}
        for windows in (self._recent, self._today, self._two_days):
            for selector, window in windows.items():
                self._windows.setdefault(selector.metric, []).append((selector, window))
        self._open: dict[str, float] = {}
        self._down: dict[str, float] = {}

    def hear(self, event: Event) -> None:
        """Count one event; a subscriber."""
        for metric, labels in counted(event):
            self.count(metric, labels)

    def count(self, metric: str, labels: Mapping[str, str]) -> None:
        """Count one more of a series."""
        now = self._clock()
        for selector, window in self._windows.get(metric, ()):
            if selector.selects(metric, labels):
                window.add(now)

    def firing(self, state: State) -> list[Firing]:
        """All that holds now, with ``state`` as it is now. To be asked every few seconds."""
        now = self._clock()
        self._note(state, now)
        return [firing for alert in ALERTS for firing in self._of(alert, now)]

    def _note(self, state: State, now: float) -> None:
        self._open |= {route: now for route, name in state.routes.items() if name == "open"}
        down = [name for name, up in state.stores.items() if not up]
        self._down = {name: self._down.get(name, now) for name in down}

    def _of(self, alert: Alert, now: float) -> Iterator[Firing]:
        match alert.condition:
            case RouteOpen(held_seconds=held):
                for route, at in self._open.items():
                    if now - at <= held:
                        yield Firing(alert=alert, subject=route)
            case StoreDown(seconds=seconds):
                for store, since in self._down.items():
                    if now - since >= seconds:
                        yield Firing(alert=alert, subject=store)
            case Share() | Seen() | Rise() as counted:
                value = self._value(counted, now)
                if value is not None:
                    yield Firing(alert=alert, value=value)

    def _value(self, condition: Share | Seen | Rise, now: float) -> float | None:
        """How much there is where it is too much."""
        match condition:
            case Share(part=part, above=above, at_least=least):
                every = self._lately(REQUESTS, now)
                share = self._lately(part, now) / every if every >= least else 0.0
                return share if share > above else None
            case Seen(of=selectors):
                return next(filter(None, (self._lately(one, now) for one in selectors)), None)
            case Rise():
                return self._rise(condition, now)

    def _rise(self, rise: Rise, now: float) -> float | None:
        if now - self._began < 2 * DAY_SECONDS:
            return None  # there is no whole day before to compare with
        today, _ = self._today[rise.of].totals(now)
        both, _ = self._two_days[rise.of].totals(now)
        more = today >= rise.at_least and today > rise.times * (both - today)
        return today if more else None

    def _lately(self, selector: Selector, now: float) -> int:
        return self._recent[selector].totals(now)[0]


def _recent() -> Iterator[Selector]:
    yield REQUESTS
    for alert in ALERTS:
        match alert.condition:
            case Share(part=part):
                yield part
            case Seen(of=selectors):
                yield from selectors


def _daily() -> Iterator[Selector]:
    return (alert.condition.of for alert in ALERTS if isinstance(alert.condition, Rise))


def counted(event: Event) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The counters that an alert looks at, as the metrics count this event."""
    match event:
        case AttemptFinished(outcome="failure"):
            yield "failsoft_errors_total", {"category": event.category, "fault": event.fault}
        case RequestFinished():
            yield from _request(event)


def _request(event: RequestFinished) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield (
        "failsoft_requests_total",
        {
            "outcome": event.outcome,
            "category": event.category,
            "fault": event.fault or "none",
        },
    )
    if event.target and event.outcome == "success":
        yield "failsoft_served_total", {"position": str(event.position)}
    if event.interrupted:
        yield "failsoft_stream_interruptions_total", {"reason": event.reason}
