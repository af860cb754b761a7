"""The settings of alerts."""

from __future__ import annotations

from dataclasses import dataclass

from failsoft.config.kinds import address, number
from failsoft.config.spec import Section, setting

__all__ = ["AlertSettings"]

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class AlertSettings(Section):
    """Alerts that the service posts itself, for a deployment without Prometheus."""

    _section = "alerts."

    webhook_url: str | None = setting(
        None, "where alerts are posted, in the form Slack takes", address(), secret=True
    )
    repeat_seconds: float = setting(
        4 * _HOUR, "an alert that goes on is told again after so long", number(60, 8760 * _HOUR)
    )
