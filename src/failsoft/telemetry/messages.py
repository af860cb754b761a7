"""What is said of alerts: once when one begins, once when it is over, and seldom in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from failsoft.telemetry.alerts import Firing
from failsoft.telemetry.conditions import Alert, Rise, RouteOpen, Share

__all__ = ["Messages", "payload"]

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
        """What is to be said now that these hold, and nothing that was said already."""
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
        "began_at": datetime.fromtimestamp(began_at, UTC).isoformat(timespec="seconds"),
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
