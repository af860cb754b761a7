"""The report: whole, by itself, and without a way for anything in it to become markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from drill_kit import call, reply, result, scenario

from failsoft.chaos.drills import find_scenario, render_report
from failsoft.chaos.drills.charts import rows_of, trouble_of
from failsoft.chaos.drills.figures import FIGURES
from failsoft.chaos.drills.results import Played

EVIL = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)></svg></style>"""
VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """Every element and attribute, and whether what opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def many():
    replies = [
        reply(
            question=n, stream=n % 2 == 0, asked_s=n / 20, ended_s=n / 20 + 1, first_text_s=n / 20
        )
        for n in range(60)
    ]
    replies += [
        reply(asked_s=1.0, ended_s=1.1, level=level, category="transient")
        for level in ("cached", "rule", "minimal", "interrupted", "raw")
    ]
    replies.append(reply(level="unanswered", ended_s=None))
    return result(replies, [call(n / 20) for n in range(60)])


def test_it_has_every_figure_level_step_and_verdict_and_is_well_formed():
    page = Page(render_report(many()))
    assert page.open == []
    assert page.tags >= {"svg", "rect", "polyline", "table", "style"}
    for figure in FIGURES.values():
        assert figure.title in page.text
    for words in (
        "✗ not held",
        "cached: a saved answer",
        "of the notices: transient",
        "*: 529",
        "down",
    ):
        assert words in page.text


def test_it_needs_no_network_and_no_script():
    text = render_report(many())
    page = Page(text)
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "image", "use"})
    assert page.attributes.isdisjoint({"src", "href", "xlink:href", "style", "srcset"})
    assert not any(name.startswith("on") for name in page.attributes)
    assert re.findall(r"https?:|url\(|@import|//", text) == []


def test_hostile_names_stay_text():
    tame = Page(render_report(many()))
    steps = tuple(
        replace(step, label=EVIL, model=EVIL, faults=(EVIL,)) for step in scenario().steps
    )
    of = scenario(name=EVIL, about=EVIL, means=EVIL, steps=steps)
    replies = [
        reply(level="raw", raw=EVIL),
        reply(level="minimal", category=EVIL),
        *many().replies,
    ]
    page = Page(render_report(replace(result(replies, [call(1.0)], of), where=EVIL)))
    assert page.open == []
    assert page.tags == tame.tags
    assert page.attributes == tame.attributes
    assert page.text.count("<script>alert(1)</script>") >= 8


def test_a_drill_of_which_nothing_is_known_has_a_report():
    page = Page(render_report(result([reply(level="unanswered", ended_s=None)])))
    assert page.open == []
    assert "No full answer came after recovery." in page.text


def test_the_time_line_knows_trouble_from_a_good_day():
    of = find_scenario("network_cut")
    rows = rows_of([Played(at=step.at, step=step) for step in of.steps], of.load.seconds)
    assert [row.who for row in rows] == ["every model", "network"]
    assert [segment.trouble for segment in rows[1].segments] == [
        True, False, True, False, True, False
    ]  # fmt: skip
    assert trouble_of(rows) == [(8.0, 16.0), (26.0, 30.0), (35.0, 40.0)]


def test_the_time_line_of_a_killed_process_is_trouble_until_it_is_started():
    of = find_scenario("process_killed")
    rows = rows_of([Played(at=step.at, step=step) for step in of.steps], of.load.seconds)
    assert trouble_of(rows) == [(12.0, 15.0)]
