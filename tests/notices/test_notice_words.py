"""The English words themselves, and that they are the only source of what people read."""

import dataclasses
import re
import tomllib
from importlib import resources
from typing import Any

import pytest

from failsoft.classify.verdict import ErrorCategory
from failsoft.notices import Catalogue
from failsoft.notices.checks import check

ENGLISH = (resources.files("failsoft.notices") / "locales" / "en.toml").read_text("utf-8")

SITUATIONS = (
    "saturated.retrying",
    "saturated.given_up",
    "too_large.given_up",
    "context_too_long.given_up",
    "thought_only.given_up",
    "model_unavailable.given_up",
    "refusal.given_up",
    "interrupted.retry",
    "interrupted.edit_input",
    "interrupted.contact_support",
    "cached",
    "saved",
    "rule",
    "minimal",
    "duplicate_joined",
    "switching",
    "waiting",
    "cancelled",
    "draining",
)


def test_the_bundled_catalogue_passes_its_own_check(catalogue):
    assert [str(problem) for problem in check(catalogue)] == []


def test_there_are_words_for_every_category_and_situation_and_no_others(catalogue):
    by_category = {
        f"{each}.{state}" for each in ErrorCategory for state in ("retrying", "given_up")
    }
    assert set(catalogue.keys) == by_category | set(SITUATIONS)


@pytest.mark.parametrize("category", ErrorCategory)
def test_text_that_is_retrying_and_text_that_gave_up_differ(catalogue, category):
    retrying = catalogue.notice(f"{category}.retrying", seconds=20)
    given_up = catalogue.notice(f"{category}.given_up", seconds=20)
    assert retrying.body != given_up.body
    assert "Stay on this page" in retrying.body
    assert not re.search(r"stay on this page|trying", given_up.body, re.IGNORECASE)


@pytest.mark.parametrize("key", SITUATIONS)
def test_every_situation_makes_a_whole_notice(catalogue, key):
    notice = catalogue.notice(key, reference="r-1", seconds=12.2, age_seconds=10_900)
    assert notice.title
    assert notice.body.endswith(".")
    assert notice.primary_action_label
    assert notice.retry_countdown_seconds in (13, None)
    assert notice.reference == "r-1"
    assert not re.search(r"[{}]", "".join(map(str, dataclasses.astuple(notice))))


def test_a_saved_answer_says_how_old_it_is_and_when_to_ask_again(catalogue):
    notice = catalogue.notice("cached", age_seconds=3 * 3600 + 100, seconds=None)
    assert notice.title == "Saved answer from 3 hours ago"
    assert "Ask again in 2 minutes" in notice.body
    assert catalogue.notice("cached").title == "Saved answer from earlier"


@pytest.mark.parametrize(("key", "seconds"), [("cached", 120), ("rule", 300), ("minimal", 300)])
def test_a_lower_level_counts_down_even_where_the_wait_is_not_known(catalogue, key, seconds):
    notice = catalogue.notice(key)
    assert (notice.retry_countdown_seconds, notice.severity) == (seconds, "info")
    assert "Contact support if it is urgent" in catalogue.actions(key)


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("saturated", "transient"),
        ("refusal", "content_policy"),
        ("too_large", "permanent"),
        ("context_too_long", "permanent"),
        ("thought_only", "permanent"),
        ("model_unavailable", "permanent"),
    ],
)
def test_a_reason_with_its_own_words_keeps_the_facts_of_its_category(catalogue, reason, category):
    own, general = (catalogue.notice(f"{name}.given_up") for name in (reason, category))
    words = {"title": "", "body": "", "primary_action_label": ""}
    assert dataclasses.replace(own, **words) == dataclasses.replace(general, **words)
    assert own.body != general.body


def test_words_of_ours_beg_nobody_and_blame_nobody():
    spoken = "\n".join(line for line in ENGLISH.splitlines() if not line.startswith("#"))
    unwanted = r"\b(please|oops|whoops|sorry|apolog\w+|unfortunately|technical difficult\w+)\b|!"
    assert not re.search(unwanted, spoken, re.IGNORECASE)


def test_code_adds_no_words_of_its_own(tmp_path):
    (tmp_path / "en.toml").write_text(_as_toml(_masked(tomllib.loads(ENGLISH))), "utf-8")
    masked = Catalogue.load(tmp_path)
    links = ("help", "status_page", "history")
    for key in masked.keys:
        notice = masked.notice(key, seconds=70, age_seconds=4_000)
        words = (notice.title, notice.body, notice.primary_action_label)
        for text in (*words, *masked.actions(key, seconds=70, links=links)):
            assert set(text) <= set("# 0123456789"), (key, text)


def _masked(tree: dict[str, Any]) -> dict[str, Any]:
    """Every text replaced by # and its placeholders."""
    facts = ("action", "severity", "link", "suggest")
    return {
        key: _masked(value)
        if isinstance(value, dict)
        else "#" + "".join(re.findall(r"\{\w+\}", value))
        if isinstance(value, str) and key not in facts
        else value
        for key, value in tree.items()
    }


def _as_toml(tree: dict[str, Any]) -> str:
    lines: list[str] = []

    def walk(table: dict[str, Any], path: str) -> None:
        lines.append(f"[{path}]" if path else "")
        lines.extend(f"{k} = {_value(v)}" for k, v in table.items() if not isinstance(v, dict))
        for key, value in table.items():
            if isinstance(value, dict):
                walk(value, f"{path}.{key}" if path else key)

    walk(tree, "")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
