"""docs/how-it-decides.md: the table, the transitions and the diagram are those of the code."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGAIN = "run PYTHONPATH=src:. python scripts/generated_docs.py"


@pytest.fixture
def decisions(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import generated_docs  # noqa: PLC0415 - a script

    yield generated_docs
    del sys.modules["provider_failures"]
    del sys.modules["generated_docs"]


def test_the_page_says_what_the_code_does(decisions):
    page = decisions.PAGE.read_text(encoding="utf-8")
    assert decisions.written(page) == page, AGAIN


def test_the_failures_of_providers_are_those_that_tests_expect(decisions):
    page = decisions.FAILURES.read_text(encoding="utf-8")
    assert decisions.written(page) == page, AGAIN


def test_the_diagram_shows_what_the_code_does(decisions):
    assert decisions.DIAGRAM.read_text(encoding="utf-8") == decisions.diagram(), AGAIN
    assert all(f">{change.reason}</text>" in decisions.diagram() for change in decisions.seen())


def test_the_outage_is_drawn_as_the_driver_runs_it(decisions):
    assert decisions.OUTAGE.read_text(encoding="utf-8") == decisions.picture(), AGAIN
