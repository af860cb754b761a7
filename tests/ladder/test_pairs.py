"""The evaluation set: what is promised about it in its README holds for the files."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from benchmarks.cache import PAIRS

HALVES = ("dev", "holdout")
SMALLEST = {"en": 420, "de": 130, "es": 130, "fr": 40}
HELD_OUT = "fr"
FIELDS = {"asked": str, "saved": str, "same": bool, "kind": str, "language": str}
ABROAD = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b"
    r"|(?<![\w.~-])/(?:root|work|home/\w+|Users/\w+)/"
)
PERSONAL = re.compile(r"@|\d{7,}")
ROW = re.compile(r"^\| ([a-z ]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)

Pair = dict[str, Any]


def read(half: str) -> list[Pair]:
    text = PAIRS[half].read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def everything() -> list[Pair]:
    return [pair for half in HALVES for pair in read(half)]


def questions(pairs: Iterable[Pair]) -> list[str]:
    return [pair[side] for pair in pairs for side in ("asked", "saved")]


def plain(question: str) -> str:
    return " ".join(re.findall(r"\w+|[€£$]", question.casefold()))


@pytest.mark.parametrize("half", PAIRS)
def test_a_line_has_these_fields_and_no_others(half):
    for pair in read(half):
        assert {name: type(value) for name, value in pair.items()} == FIELDS, pair


def test_a_text_is_a_question_of_one_line_without_blanks_around_it():
    for question in questions(everything()):
        assert question == " ".join(question.split())
        assert 2 <= len(question.split()) <= 40, question


def test_every_language_is_large_enough_and_half_of_it_asks_the_same():
    total = Counter(pair["language"] for pair in everything())
    same = Counter(pair["language"] for pair in everything() if pair["same"])
    assert set(total) == set(SMALLEST)
    for language, smallest in SMALLEST.items():
        assert total[language] >= smallest
        assert 0.45 <= same[language] / total[language] <= 0.55


def test_the_halves_are_of_one_size_but_for_the_language_held_out():
    dev = Counter(pair["language"] for pair in read("dev"))
    holdout = Counter(pair["language"] for pair in read("holdout"))
    assert HELD_OUT not in dev
    for language in set(SMALLEST) - {HELD_OUT}:
        share = dev[language] / (dev[language] + holdout[language])
        assert 0.45 <= share <= 0.55


def test_every_kind_is_in_both_halves_in_every_language():
    kinds = {half: {(p["language"], p["kind"]) for p in read(half)} for half in HALVES}
    shared = {(language, kind) for language, kind in kinds["holdout"] if language != HELD_OUT}
    assert kinds["dev"] == shared


def test_a_kind_says_by_itself_whether_the_two_ask_the_same():
    same = {pair["kind"] for pair in everything() if pair["same"]}
    other = {pair["kind"] for pair in everything() if not pair["same"]}
    assert not same & other


@pytest.mark.parametrize(("language", "smallest"), [("en", 20), ("de", 5), ("es", 5), ("fr", 2)])
def test_every_kind_of_hard_negative_is_tried_often_enough(language, smallest):
    pairs = [pair for pair in everything() if not pair["same"] and pair["language"] == language]
    counts = Counter(pair["kind"] for pair in pairs)
    assert len(counts) == 15
    assert min(counts.values()) >= smallest


def test_no_pair_is_there_twice_even_turned_around():
    counts = Counter(frozenset((p["asked"], p["saved"])) for p in everything())
    assert [set(pair) for pair, count in counts.items() if count > 1] == []


def test_no_pair_differs_by_case_and_punctuation_alone():
    for pair in everything():
        assert plain(pair["asked"]) != plain(pair["saved"])


def test_no_question_is_in_both_halves():
    dev, holdout = ({plain(question) for question in questions(read(half))} for half in HALVES)
    assert dev & holdout == set()


def test_the_unseen_set_is_large_enough_and_shares_no_question():
    unseen = read("unseen")
    assert sum(not pair["same"] for pair in unseen) >= 300
    assert sum(pair["same"] for pair in unseen) >= 280
    asked = [plain(question) for question in questions(unseen)]
    assert len(set(asked)) == len(asked)
    assert set(asked) & {plain(question) for question in questions(everything())} == set()
    assert {p["kind"] for p in unseen} == {p["kind"] for p in everything()}


def test_nothing_personal_and_nothing_of_another_place_is_in_a_question():
    every = [pair for name in PAIRS for pair in read(name)]
    found = [q for q in questions(every) if ABROAD.search(q) or PERSONAL.search(q)]
    assert found == []


def test_the_readme_counts_what_is_there():
    readme = PAIRS["dev"].with_name("README.md").read_text(encoding="utf-8")
    rows = ROW.findall(readme)
    told = {kind: [int(count) for count in counts] for kind, *counts in rows}
    counts = Counter((pair["kind"], pair["language"]) for pair in everything())
    kinds = {kind for kind, _ in counts}
    assert told == {kind: [counts[kind, language] for language in SMALLEST] for kind in kinds}
