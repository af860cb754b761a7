"""What the rules, the dashboard and the pages ask for is what the code counts."""

import json
import re

import pytest
import yaml
from alert_kit import COMMITTED, needs_promtool, promtool
from test_alert_docs import QUERIES

from failsoft.telemetry.metrics import METRICS

DASHBOARD = json.loads(COMMITTED.with_name("dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SHOWN = [target["expr"] for panel in PANELS for target in panel["targets"]]
RULES = [
    rule["expr"]
    for group in yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    f"failsoft_{name}{suffix}": metric
    for name, metric in METRICS.items()
    for suffix in SUFFIXES[metric.kind]
}
PROMETHEUS_OWN = {"job", "instance", "le", "alertname", "alertstate"}


def asked(expression: str) -> set[str]:
    return set(re.findall(r"(?<!job:)\bfailsoft_\w+", expression))


@pytest.mark.parametrize("expression", sorted({*SHOWN, *RULES, *QUERIES}))
def test_every_metric_and_label_exists(expression):
    names = asked(expression)
    assert names or "job:failsoft" in expression
    assert names <= SERIES.keys()
    labels = {label for name in names for label in SERIES[name].labels} | PROMETHEUS_OWN
    bys = re.findall(r"by \(([^)]*)\)", expression)
    used = {label.strip() for by in bys for label in by.split(",")}
    used |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    assert used <= labels


def test_every_metric_is_on_the_dashboard():
    shown = {name for expression in SHOWN for name in asked(expression)}
    assert {
        name for name in METRICS if not {f"failsoft_{name}", f"failsoft_{name}_bucket"} & shown
    } == set()


def test_legends_name_labels_of_their_query():
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), target


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@needs_promtool
def test_every_query_of_the_dashboard_can_be_asked(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": one.replace("$__rate_interval", "5m")}
        for number, one in enumerate(SHOWN)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(SHOWN)} rules found" in promtool("check", "rules", file)
