"""Writes ``alerts.yml``, the rules for Prometheus, from the table of alerts.

    from failsoft.telemetry.prometheus_rules import rules_text

    print(rules_text(), end="")

Counts are ``last_over_time - min_over_time`` and not ``increase``, which extrapolates: 19 requests
would be 20 of them, or 24 where they are scraped once a minute. After a restart it counts on
from the first value seen, and never more than there was.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import yaml

from failsoft.telemetry.alert_rules import (
    ALERTS,
    DAY_SECONDS,
    PROVIDER_STATUS_PAGE,
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

__all__ = ["expression", "rules_text"]

_HEAD = """\
# Alerts of failsoft for Prometheus; what each means and what to do: docs/alerts.md.
# Written from the table in failsoft/telemetry/alert_rules.py; do not edit.
"""

# Instances of one deployment share a job; two deployments in one Prometheus do not.
_TOGETHER = "by (job)"
_TOGETHER_ON = "on (job)"
_EVERY = "job:failsoft_requests:count5m"

# Whole days of samples are not read every few seconds for a note.
_DAILY_SECONDS = 300.0


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines are written as they are read."""


def _as_lines(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _as_lines)


def rules_text(*, times: float = 1.0) -> str:
    """The file. ``times`` shortens or lengthens every duration, for a run that cannot wait."""
    every = {"record": _EVERY, "expr": _counted(REQUESTS, _span(WINDOW_SECONDS * times))}
    prompt = [_rule(one, times) for one in ALERTS if not isinstance(one.condition, Rise)]
    daily = [_rule(one, times) for one in ALERTS if isinstance(one.condition, Rise)]
    groups = [
        {"name": "failsoft", "rules": [every, *prompt]},
        {"name": "failsoft-daily", "interval": _span(_DAILY_SECONDS * times), "rules": daily},
    ]
    return _HEAD + yaml.dump(
        {"groups": groups}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
    )


def _rule(alert: Alert, times: float) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": expression(alert.condition, times)}
    if isinstance(alert.condition, StoreDown):
        rule["for"] = _span(alert.condition.seconds * times)
    rule["labels"] = {"severity": alert.severity}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description + _which(alert.condition),
        "runbook_url": f"docs/runbooks/{alert.page}.md",
    }
    if isinstance(alert.condition, RouteOpen):
        rule["annotations"]["status_page"] = PROVIDER_STATUS_PAGE
    return rule


def _which(condition: object) -> str:
    match condition:
        case Share():
            return " Now: {{ $value | humanizePercentage }}."
        case RouteOpen():
            return " Route: {{ $labels.route }}."
        case StoreDown():
            return " Store: {{ $labels.store }}."
        case _:
            return " Now: {{ $value }}."


@singledispatch
def expression(condition: Any, times: float = 1.0) -> str:
    """The condition in PromQL; it gives nothing while it does not hold."""
    raise TypeError(f"no rule for {condition!r}, {times}")


@expression.register
def _(condition: Share, times: float = 1.0) -> str:
    part = _counted(condition.part, _span(WINDOW_SECONDS * times))
    return f"{part}\n/ {_EVERY} > {condition.above:g}\nand {_EVERY} >= {condition.at_least}"


@expression.register
def _(condition: AlertInputs, times: float = 1.0) -> str:
    span = _span(WINDOW_SECONDS * times)
    return "\nor\n".join(f"({_any(one, span)})" for one in condition.any_of)


def _any(counted: Counted, span: str) -> str:
    found = _at_least(counted.of, counted.at_least, span)
    if counted.without is not None:
        found += f"\nunless {_TOGETHER_ON} {_at_least(counted.without, 1, span)}"
    if counted.while_open:
        found += f"\nand {_TOGETHER_ON} max {_TOGETHER} (failsoft_breaker_state) == 2"
    return found


def _at_least(selector: Selector, least: int, span: str) -> str:
    """The very first may come before the first scrape: what is new counts whole."""
    series = _series(selector)
    return (
        f"sum {_TOGETHER} (\n"
        f"  ({series} unless {series} offset {span})\n"
        f"  or (last_over_time({series}[{span}]) - min_over_time({series}[{span}]))\n"
        f") >= {least}"
    )


@expression.register
def _(condition: RouteOpen, times: float = 1.0) -> str:
    span = _span(condition.held_seconds * times)
    return f"max by (job, route) (max_over_time(failsoft_route_breaker_state[{span}])) == 2"


@expression.register
def _(_condition: StoreDown, times: float = 1.0) -> str:  # noqa: ARG001 - its time is `for`
    return "min by (job, store) (failsoft_store_up) == 0"


@expression.register
def _(condition: Rise, times: float = 1.0) -> str:
    """There is a day before where there were requests two days ago, of whatever kind."""
    day, two_days = _span(DAY_SECONDS * times), _span(2 * DAY_SECONDS * times)
    today = _counted(condition.of, day)
    before = _counted(condition.of, day, f" offset {day}")
    then = f"sum {_TOGETHER} ({condition.of.metric} offset {two_days})"
    return (
        f"{today}\n> {condition.times:g} * (\n  {before}\n  or 0 * {then}\n)\n"
        f"and {today} >= {condition.at_least}\nand {then}"
    )


def _counted(selector: Selector, span: str, offset: str = "") -> str:
    window = f"{_series(selector)}[{span}]{offset}"
    return f"sum {_TOGETHER} (last_over_time({window}) - min_over_time({window}))"


def _series(selector: Selector) -> str:
    are = [f'{name}="{value}"' for name, value in selector.are]
    are += [f'{name}=~"{"|".join(values)}"' for name, values in selector.matches]
    are_not = [
        f'{name}!="{values[0]}"' if len(values) == 1 else f'{name}!~"{"|".join(values)}"'
        for name, values in selector.are_not
    ]
    return f"{selector.metric}{{{','.join(are + are_not)}}}"


def _span(seconds: float) -> str:
    """Seconds as Prometheus writes them, exact to the millisecond."""
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds * 1000:.0f}ms"
