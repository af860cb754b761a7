"""The process judges as Prometheus does: both are given the same series, made at random."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from alert_kit import COMMITTED, needs_promtool, promtool

from failsoft.telemetry.alert_rules import ALERTS, AlertInputs, RouteOpen, Share, StoreDown
from failsoft.telemetry.alerts import Evaluator, counted
from failsoft.telemetry.events import AttemptFinished, RequestFinished
from failsoft.telemetry.labels import Labels, State
from failsoft.telemetry.metrics import METRICS, Metrics

OPUS = "anthropic/claude-opus-5-5"
MINUTES = 25
STATES = ("closed", "half_open", "open")
WORLDS = 48
SERIES = {
    "ok": ("failsoft_requests_total", {"category": "none", "fault": "none", "outcome": "success"}),
    "users": ("failsoft_requests_total", {"category": "content_policy", "fault": "user"}),
    "limited": ("failsoft_requests_total", {"category": "rate_limited", "fault": "operator"}),
    "transient": ("failsoft_requests_total", {"category": "transient", "fault": "provider"}),
    "network": ("failsoft_requests_total", {"category": "transient", "fault": "network"}),
    "late": ("failsoft_requests_total", {"category": "timeout", "fault": "provider"}),
    "hurried": ("failsoft_requests_total", {"category": "timeout", "fault": "user"}),
    "refused": ("failsoft_requests_total", {"category": "auth_error", "fault": "operator"}),
    "key": ("failsoft_attempts_total", {"category": "auth_error", "reason": "authentication"}),
    "address": ("failsoft_attempts_total", {"category": "auth_error", "reason": "wrong_address"}),
    "first": ("failsoft_served_total", {"position": "0"}),
    "second": ("failsoft_served_total", {"position": "1"}),
    "cut": ("failsoft_stream_interruptions_total", {"reason": "stream_cut"}),
    "left": ("failsoft_stream_interruptions_total", {"reason": "cancelled"}),
}
RARE = {"refused", "key", "address"}


@dataclass
class World:
    """What happens in each minute: how much is counted, the states of a target, route and store."""

    counts: dict[str, list[int]] = field(default_factory=dict)
    target: list[int] = field(default_factory=list)
    route: list[int] = field(default_factory=list)
    store: list[int] = field(default_factory=list)


def world(seed: int) -> World:
    """Busy or quiet, with a fault or two for some minutes; near the limits as often as not."""
    rng = random.Random(seed)
    busy = rng.choice([1, 2, 4, 5, 20, 100])
    made = World()
    for name in SERIES:
        rate = busy if name in ("ok", "first") else 0
        begin, length = rng.randrange(MINUTES), rng.randrange(1, 12)
        share = rng.choice([0, 0, 0, 0.01, 0.02, 0.05, 0.06, 0.1, 0.12, 0.5])
        struck = rng.randrange(2) if name in RARE else max(1, round(busy * share)) if share else 0
        made.counts[name] = [0] + [
            rate + (struck if begin <= minute < begin + length else 0)
            for minute in range(1, MINUTES)
        ]
    made.target = [rng.choice([0, 0, 0, 0, 1, 2]) for _ in range(MINUTES)]
    made.route = [rng.choice([0, 0, 0, 0, 1, 2]) for _ in range(MINUTES)]
    made.store = [rng.choice([1, 1, 1, 0, 0]) for _ in range(MINUTES)]
    return made


def judged(told: World) -> list[set[tuple[str, str]]]:
    """By the process, once a minute."""
    now = 0.0
    evaluator = Evaluator(lambda: now)
    verdicts = []
    for minute in range(MINUTES):
        now = minute * 60.0
        for name, counts in told.counts.items():
            for _ in range(counts[minute]):
                evaluator.count(*SERIES[name])
        state = State(
            targets={OPUS: STATES[told.target[minute]]},
            routes={"chat": STATES[told.route[minute]]},
            inflight={},
            stores={"request_log": bool(told.store[minute])},
        )
        verdicts.append({(one.alert.name, one.subject) for one in evaluator.firing(state)})
    return verdicts


def as_promtool_tests(told: World, verdicts: list[set[tuple[str, str]]]) -> dict[str, object]:
    """What Prometheus would have scraped, and that it must say the same."""
    series = [
        {"series": _series(*SERIES[name]), "values": _running(counts)}
        for name, counts in told.counts.items()
    ]
    series += [
        {"series": f"{name}{{job='f',{label}}}", "values": " ".join(map(str, values))}
        for name, label, values in (
            ("failsoft_breaker_state", f"target='{OPUS}'", told.target),
            ("failsoft_route_breaker_state", "route='chat'", told.route),
            ("failsoft_store_up", "store='request_log'", told.store),
        )
    ]
    says = [
        {
            "expr": 'count by (alertname, route, store) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": _alert(*one), "value": 1} for one in verdict],
        }
        for minute, verdict in enumerate(verdicts)
    ]
    return {"interval": "1m", "input_series": series, "promql_expr_test": says}


def _alert(name: str, subject: str) -> str:
    kinds = {"FailsoftCircuitOpen": "route", "FailsoftStoreDown": "store"}
    more = f", {kinds[name]}='{subject}'" if subject else ""
    return f"{{alertname='{name}'{more}}}"


def _series(metric: str, labels: dict[str, str]) -> str:
    return f"{metric}{{job='f',{','.join(f'{k}={v!r}' for k, v in labels.items())}}}"


def _running(counts: list[int]) -> str:
    total, totals = 0, []
    for count in counts:
        total += count
        totals.append(str(total))
    return " ".join(totals)


@needs_promtool
def test_the_process_and_prometheus_agree_minute_by_minute(tmp_path: Path):
    worlds = [world(seed) for seed in range(WORLDS)]
    verdicts = [judged(told) for told in worlds]
    file = tmp_path / "agreement_test.yml"
    file.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(COMMITTED)],
                "evaluation_interval": "1m",
                "tests": list(map(as_promtool_tests, worlds, verdicts)),
            }
        )
    )
    promtool("test", "rules", file)
    seen = [name for told in verdicts for minute in told for name, _ in minute]
    assert len(set(seen)) == 8, "every alert but the daily note was judged both ways"
    assert all(0 < seen.count(name) < WORLDS * MINUTES for name in set(seen))


def test_the_lengths_of_state_are_whole_minutes():
    assert RouteOpen().held_seconds == StoreDown().seconds == 60.0


DONE = {
    "at": 0.0,
    "route": "chat",
    "level": "full",
    "outcome": "success",
    "category": "none",
    "reason": "",
    "fault": "",
    "target": OPUS,
    "position": 0,
    "attempts": 1,
    "hops": 0,
    "duration_seconds": 1.0,
}
FAILED = DONE | {"level": "minimal", "outcome": "error", "target": "", "position": None}
LATE = {"category": "timeout", "reason": "no_answer", "fault": "provider"}
CALL = {"number": 1, "duration_seconds": 1.0, "first_content_seconds": None, "detail": ""}


@pytest.mark.parametrize(
    "event",
    [
        RequestFinished(**DONE),
        RequestFinished(**DONE | {"position": 2}),
        RequestFinished(**DONE | {"level": "cached", "target": "", "position": None} | LATE),
        RequestFinished(**FAILED | LATE),
        RequestFinished(**FAILED | LATE, interrupted=True),
        RequestFinished(**FAILED | {"level": "", "outcome": "cancelled", "fault": "user"}),
        AttemptFinished(at=0.0, target=OPUS, outcome="failure", **CALL, **LATE),
        AttemptFinished(
            at=0.0, target=OPUS, outcome="success", **CALL, category="", reason="", fault=""
        ),
    ],
)
def test_an_event_is_counted_under_the_names_and_labels_of_the_metrics(event):
    metrics = Metrics(Labels.of(routes=("chat",), targets=(OPUS,)))
    metrics(event)
    watched = {selector.metric for alert in ALERTS for selector in _selectors(alert.condition)}
    asked = ("outcome", "category", "fault", "position", "reason")
    rose = [
        (sample.name, {name: value for name, value in sample.labels.items() if name in asked})
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name in watched and sample.value
    ]
    assert rose == [(name, dict(labels)) for name, labels in counted(event)]


def _selectors(condition):
    match condition:
        case Share(part=part):
            return (part,)
        case AlertInputs(any_of=all_counted):
            return tuple(counted.of for counted in all_counted)
        case _:
            return ()


def test_every_label_an_alert_asks_for_is_one_the_metric_has():
    for alert in ALERTS:
        for selector in _selectors(alert.condition):
            labels = METRICS[selector.metric.removeprefix("failsoft_")].labels
            assert {
                name for name, _ in (*selector.are, *selector.are_not, *selector.matches)
            } <= set(labels)
