"""Evaluates the alerts in the process itself, for a deployment without Prometheus.

The same table, the same counters: events are counted under the names and labels that they have in
the metrics. A message is sent when an alert begins, when it ends, and seldom in between; the
webhook gets messages in order, and no call ever waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from aiohttp import ClientTimeout

from failsoft.policy.window import Window
from failsoft.providers.sessions import SessionPerLoop
from failsoft.telemetry.alert_rules import (
    ALERTS,
    ATTEMPTS,
    DAY_SECONDS,
    REQUESTS,
    WINDOW_SECONDS,
    Alert,
    AlertInputs,
    Counted,
    Rise,
    RouteOpen,
    Selector,
    Share,
    StoreDown,
)
from failsoft.telemetry.events import AttemptFinished, Event, RequestFinished
from failsoft.telemetry.labels import State
from failsoft.telemetry.publisher import rfc3339

__all__ = ["Evaluator", "Firing", "Messages", "Webhook", "counted", "payload"]

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
        self._some_open = False
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
        self._some_open = "open" in state.targets.values()
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
            case Share() | AlertInputs() | Rise() as counted:
                value = self._value(counted, now)
                if value is not None:
                    yield Firing(alert=alert, value=value)

    def _value(self, condition: Share | AlertInputs | Rise, now: float) -> float | None:
        """How much there is where it is too much."""
        match condition:
            case Share(part=part, above=above, at_least=least):
                every = self._lately(REQUESTS, now)
                share = self._lately(part, now) / every if every >= least else 0.0
                return share if share > above else None
            case AlertInputs(any_of=all_counted):
                return next(filter(None, (self._seen(one, now) for one in all_counted)), None)
            case Rise():
                return self._rise(condition, now)

    def _seen(self, counted: Counted, now: float) -> int:
        """How many of them, 0 where the condition does not hold."""
        found = self._lately(counted.of, now)
        others = counted.without is not None and self._lately(counted.without, now)
        closed = counted.while_open and not self._some_open
        return 0 if found < counted.at_least or others or closed else found

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
            case AlertInputs(any_of=all_counted):
                for counted in all_counted:
                    yield from (each for each in (counted.of, counted.without) if each is not None)


def _daily() -> Iterator[Selector]:
    return (alert.condition.of for alert in ALERTS if isinstance(alert.condition, Rise))


def counted(event: Event) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The counters that an alert looks at, as the metrics count this event."""
    match event:
        case AttemptFinished(outcome="failure"):
            yield ATTEMPTS, {"category": event.category, "reason": event.reason}
        case AttemptFinished():
            ended = "none" if event.outcome == "success" else "cancelled"
            yield ATTEMPTS, {"category": ended, "reason": ended}
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


# What hovers about its limit would begin and end with every request: it is over after so long.
_QUIET_SECONDS: Final[dict[type, float]] = {Share: 60.0, Rise: 3600.0}

# A note is a daily one.
_NOTE_SECONDS = 86_400.0

_Name = tuple[str, str]
_ICONS = {"page": ":rotating_light:", "ticket": ":warning:", "note": ":memo:"}


@dataclass(slots=True)
class _Open:
    firing: Firing
    began_at: float
    held_at: float
    said_at: float


class Messages:
    """Remembers what was said. ``clock`` gives monotonic seconds, ``wall`` those of the epoch."""

    def __init__(
        self,
        *,
        repeat_seconds: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
        links: dict[str, str],
    ) -> None:
        self._repeat_seconds = repeat_seconds
        self._clock = clock
        self._wall = wall
        self._links = links
        self._open: dict[_Name, _Open] = {}

    def about(self, firing: Iterable[Firing]) -> list[dict[str, Any]]:
        """The alerts to post now that these hold, without those posted already."""
        now = self._clock()
        said = [self._holds(one, now) for one in firing]
        over = [name for name, one in self._open.items() if _is_over(one, now)]
        said += [self._say(self._open.pop(name), "resolved") for name in over]
        return [one for one in said if one is not None]

    def _holds(self, firing: Firing, now: float) -> dict[str, Any] | None:
        name = (firing.alert.name, firing.subject)
        known = self._open.get(name)
        if known is None:
            known = self._open[name] = _Open(firing, self._wall(), now, now)
            return self._say(known, "firing")
        known.firing, known.held_at = firing, now
        if now - known.said_at < self._repeat_after(firing.alert):
            return None
        known.said_at = now
        return self._say(known, "firing")

    def _repeat_after(self, alert: Alert) -> float:
        return _NOTE_SECONDS if alert.severity == "note" else self._repeat_seconds

    def _say(self, one: _Open, status: Literal["firing", "resolved"]) -> dict[str, Any]:
        return payload(one.firing, status, began_at=one.began_at, links=self._links)


def _is_over(one: _Open, now: float) -> bool:
    quiet = _QUIET_SECONDS.get(type(one.firing.alert.condition), 0.0)
    return one.held_at < now and now - one.held_at >= quiet


def payload(
    firing: Firing,
    status: Literal["firing", "resolved"],
    *,
    began_at: float,
    links: dict[str, str],
) -> dict[str, Any]:
    """The body for the webhook: ``text`` for people, as Slack shows it, and the facts as fields.

    ``began_at`` is in seconds since the epoch; ``links`` are more fields, with addresses.
    """
    alert = firing.alert
    fields = {
        "alert": alert.name,
        "status": status,
        "severity": alert.severity,
        "subject": firing.subject,
        "value": firing.value,
        "began_at": rfc3339(began_at),
        "summary": alert.summary,
        "description": alert.description,
        "runbook": f"docs/runbooks/{alert.page}.md",
        **links,
    }
    return {"text": _text(firing, status, fields)} | fields


def _text(firing: Firing, status: str, fields: dict[str, Any]) -> str:
    if status == "resolved":
        return f":white_check_mark: Over: {_title(firing)}. It began at {fields['began_at']}."
    icon = _ICONS[firing.alert.severity]
    lines = [f"{icon} {_title(firing)}", f"{firing.alert.description}{_now(firing)}"]
    lines.append(f"What to do: {fields['runbook']}")
    if isinstance(firing.alert.condition, RouteOpen) and "status_page" in fields:
        lines.append(f"Status page: {fields['status_page']}")
    return "\n".join(lines)


def _title(firing: Firing) -> str:
    subject = f" ({firing.subject})" if firing.subject else ""
    return f"{firing.alert.name}{subject}: {firing.alert.summary.rstrip('.')}"


def _now(firing: Firing) -> str:
    if firing.value is None:
        return ""
    share = isinstance(firing.alert.condition, Share)
    return f" Now: {firing.value:.1%}." if share else f" Now: {firing.value:g}."


_log = logging.getLogger(__name__)

# Trouble with the network is when alerts fire, and may keep the webhook out of reach as well.
_WAITS_SECONDS = (1.0, 5.0, 30.0, 120.0)
_TIMEOUT_SECONDS = 5.0
_WAITING = 100


class Webhook:
    """Messages on their way to ``url``, which is a secret: no log names it.

    One that cannot be delivered is tried again after each of ``waits`` (seconds) and then dropped
    with a line in the log. When ``_WAITING`` messages wait, a further one is dropped the same way.
    Proxy and certificates come from the environment, as for the providers.
    """

    def __init__(self, url: str, *, waits: Sequence[float] = _WAITS_SECONDS) -> None:
        self._url = url
        self._waits = tuple(waits)
        self._sessions = SessionPerLoop(url)
        self._queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to post. To be called in the event loop that does it."""
        self._task = asyncio.create_task(self._run())

    def put(self, message: Mapping[str, Any]) -> None:
        """Have a message posted; returns at once."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            _dropped(message, f"{_WAITING} others wait")

    async def aclose(self, seconds: float) -> None:
        """Post what waits for at most so long, and end."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._queue.join()
        except TimeoutError:
            _log.warning("alerts_unsent", extra={"fields": {"messages": self._queue.qsize() + 1}})
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._sessions.aclose()

    async def _run(self) -> None:
        while True:
            message = await self._queue.get()
            await self._deliver(message)
            self._queue.task_done()

    async def _deliver(self, message: Mapping[str, Any]) -> None:
        for wait in (*self._waits, None):
            problem = await self._post(message)
            if problem is None:
                return
            if wait is None:
                _dropped(message, problem)
                return
            await asyncio.sleep(wait)

    async def _post(self, message: Mapping[str, Any]) -> str | None:
        """What went wrong, without the address."""
        try:
            async with (await self._sessions.get()).post(
                self._url,
                json=message,
                allow_redirects=False,
                timeout=ClientTimeout(total=_TIMEOUT_SECONDS),
            ) as reply:
                taken = HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES
                return None if taken else f"it answered {reply.status}"
        except Exception as error:  # noqa: BLE001 - the next message must go out, whatever this one met
            return type(error).__name__


def _dropped(message: Mapping[str, Any], problem: str) -> None:
    fields = {"alert": message.get("alert"), "status": message.get("status"), "problem": problem}
    _log.error("alert_not_sent", extra={"fields": fields})
