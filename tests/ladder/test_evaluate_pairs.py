"""Reading a file of pairs, and counting."""

import json

import pytest

from failsoft.errors import SettingError
from failsoft.ladder.cache.evaluate import EvaluationTally, Judged, Pair, read_pairs, tally

LINE = {"asked": "a b", "saved": "b a", "same": True, "kind": "wording", "language": "en"}


def test_pairs_are_read_and_empty_lines_passed_over(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text(f"\n{json.dumps(LINE)}\n\n", encoding="utf-8")
    assert read_pairs(file) == [Pair(**LINE)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "is not JSON"),
        ("[]", "is not an object"),
        (json.dumps(LINE | {"same": "yes"}), '"same" must be true or false'),
        (json.dumps(LINE | {"asked": ""}), '"asked" must be a text'),
        (json.dumps({"asked": "a"}), 'has no "saved"'),
        (json.dumps(LINE | {"sam": True}), 'has "sam", which means nothing here'),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong_and_an_example(tmp_path, line, problem):
    file = tmp_path / "own.jsonl"
    file.write_text(f"{json.dumps(LINE)}\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read_pairs(file)
    assert str(caught.value).startswith(f"{file}:2: {problem}")
    assert '"language": "en"' in str(caught.value)


def test_a_file_that_is_not_there_or_empty_is_told(tmp_path):
    with pytest.raises(SettingError, match="cannot be read"):
        read_pairs(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SettingError, match="has no pairs"):
        read_pairs(tmp_path / "empty.jsonl")


def test_a_hit_is_near_enough_and_passes_the_guards():
    pair = Pair(**LINE)
    assert Judged(pair, 0.8, None).hit(0.8)
    assert not Judged(pair, 0.79, None).hit(0.8)
    assert not Judged(pair, 0.9, "number").hit(0.8)
    assert Judged(pair, 0.9, "number").hit(0.8, guarded=False)


def test_hits_are_counted_in_groups():
    judged = [Judged(Pair(**LINE | {"kind": kind}), 0.9, None) for kind in "aab"]
    found = tally(judged, lambda one: one.pair.kind == "a", by=lambda one: one.pair.kind)
    assert found == {"a": EvaluationTally(2, 2), "b": EvaluationTally(0, 1)}
    assert str(found["a"]) == "2 of 2"
    assert EvaluationTally().share == 0.0
