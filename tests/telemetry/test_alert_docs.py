"""Each alert has its page, and what the pages ask Prometheus for is there to be asked."""

import json
import re

import pytest
import yaml
from alert_kit import ROOT, needs_promtool, promtool

from failsoft.telemetry.alert_rules import ALERTS
from failsoft.telemetry.alerts import Firing, payload

DOCS = ROOT / "docs"
RUNBOOKS = {path.stem: path.read_text() for path in (DOCS / "runbooks").glob("*.md")}
QUERIES = [
    line
    for text in RUNBOOKS.values()
    for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
]
HEADINGS = ["What people see", "What to look at", "What to do", "When it is over"]


def test_every_alert_has_a_page_and_every_page_an_alert():
    assert set(RUNBOOKS) == {alert.page for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_page_says_for_whom_it_is_and_answers_four_questions(alert):
    page = RUNBOOKS[alert.page]
    assert page.startswith(f"# {alert.name}\n\nSeverity: {alert.severity}. For: {alert.who}.\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS


def test_the_index_is_the_table():
    index = (DOCS / "alerts.md").read_text()
    table = index.partition("<!-- alerts: begin -->\n")[2].partition("<!-- alerts: end -->")[0]
    _, _, *rows = table.splitlines()
    assert rows == [
        f"| [{one.name}](runbooks/{one.page}.md) | {one.description} | {one.severity} | {one.who} |"
        for one in ALERTS
    ]


def test_the_message_shown_has_the_fields_of_one():
    (block,) = re.findall(r"```json\n(.*?)```", (DOCS / "alerts.md").read_text(), re.DOTALL)
    links = {"service": "failsoft", "instance": "web-1:4711", "status_page": "https://a.example"}
    message = payload(Firing(alert=ALERTS[0], subject="chat"), "firing", began_at=0.0, links=links)
    assert {name: type(value) for name, value in json.loads(block).items()} == {
        name: type(value) for name, value in message.items()
    }


def test_links_between_pages_lead_somewhere():
    for text in RUNBOOKS.values():
        assert set(re.findall(r"\]\(([\w-]+)\.md\)", text)) <= set(RUNBOOKS)


@needs_promtool
def test_every_query_of_a_page_can_be_asked(tmp_path):
    rules = [{"record": f"query:{number}", "expr": one} for number, one in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(QUERIES)} rules found" in promtool("check", "rules", file)
