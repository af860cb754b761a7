"""alerts.yml is the table in Prometheus's words, and promtool agrees that it does as it says."""

import pytest
import yaml
from alert_kit import COMMITTED, HERE, needs_promtool, promtool

from failsoft.classify.verdict import ErrorCategory
from failsoft.telemetry.alert_rules import ALERTS, AlertInputs, Selector, Share, StoreDown
from failsoft.telemetry.prometheus_rules import expression, rules_text

RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def test_the_committed_file_is_what_the_table_says():
    assert COMMITTED.read_text(encoding="utf-8") == rules_text(), "the command is in rules.py"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_threshold_window_and_severity_are_those_of_the_table(alert):
    rule = RULES[alert.name]
    assert rule["labels"] == {"severity": alert.severity}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert.page}.md"
    match alert.condition:
        case Share(above=above, at_least=least):
            assert f"> {above:g}\n" in rule["expr"]
            assert rule["expr"].endswith(f">= {least}")
            assert rule["expr"].count("[5m]") == 2
        case AlertInputs(of=selectors):
            assert rule["expr"].count("> 0") == len(selectors)
        case StoreDown():
            assert rule["for"] == "1m"


def test_no_two_alerts_share_a_name_or_a_page():
    assert len({alert.name for alert in ALERTS}) == len({alert.page for alert in ALERTS})
    assert len(RULES) == len(ALERTS) == 9


def test_a_users_message_pages_nobody():
    content = [one for one in ALERTS if ErrorCategory.CONTENT_POLICY in expression(one.condition)]
    assert {one.severity for one in content if "reason" not in expression(one.condition)} == {
        "note"
    }


@pytest.mark.parametrize(
    "selector", [one.condition.part for one in ALERTS if isinstance(one.condition, Share)]
)
def test_what_users_cause_is_in_no_share(selector: Selector):
    names = {name for name, _ in selector.are_not}
    assert names & {"fault", "reason", "position"}
    assert not selector.selects(selector.metric, dict(selector.are) | USERS)


USERS = {"fault": "user", "reason": "cancelled", "position": "0"}


@needs_promtool
def test_promtool_takes_the_file():
    promtool("check", "rules", COMMITTED)


@needs_promtool
@pytest.mark.parametrize("file", ["alerts_test.yml", "alerts_daily_test.yml"])
def test_each_alert_fires_and_does_not(file):
    assert "SUCCESS" in promtool("test", "rules", HERE / file)


def test_every_alert_is_tested_both_ways():
    texts = [(HERE / name).read_text() for name in ("alerts_test.yml", "alerts_daily_test.yml")]
    cases = [case for text in texts for case in yaml.safe_load(text)["tests"]]
    firing = {
        test["alertname"]
        for case in cases
        for test in case.get("alert_rule_test", ())
        if test.get("exp_alerts")
    }
    assert firing == set(RULES)
    assert sum("exp_samples" not in str(case.get("promql_expr_test", "")) for case in cases) > 9
