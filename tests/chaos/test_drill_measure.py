"""Figures and verdicts, from made-up replies and calls."""

from __future__ import annotations

import json

import pytest
from drill_kit import call, reply, result, scenario

from failsoft.chaos.drills.figures import written
from failsoft.chaos.drills.results import Played, percentile, recovered_at
from failsoft.chaos.drills.scenario import DrillVerdict, Threshold


def figures(replies, calls=None):
    return result(replies, calls).figures


def test_shares_count_answers_of_any_level_and_full_ones():
    replies = [
        reply(level="full"),
        reply(level="cached"),
        reply(level="minimal", category="transient"),
        reply(level="unanswered", ended_s=None),
    ]
    found = figures(replies)
    assert (found["success_share"], found["full_share"]) == (0.5, 0.25)
    assert (found["notices"], found["unanswered"], found["raw_errors"]) == (1, 1, 0)


def test_the_end_is_the_last_five_seconds_of_the_load():
    load = scenario().load
    assert load.seconds == 3
    late = figures([reply(asked_s=-3.0, level="raw"), reply(asked_s=-1.9), reply(asked_s=2.9)])
    assert late["full_share_at_end"] == 1
    assert late["success_share"] == 2 / 3


def test_times_are_from_asking_to_the_end_and_to_the_first_words_of_streams():
    replies = [
        reply(asked_s=1.0, ended_s=1.0 + n, stream=n > 2, first_text_s=1.5) for n in (1, 2, 3, 9)
    ]
    found = figures(replies)
    assert (found["p50_seconds"], found["p99_seconds"]) == (3.0, 9.0)
    assert found["p50_first_text_seconds"] == 0.5
    assert percentile([], 0.5) is None


def test_a_question_answered_in_full_twice_by_the_provider_is_a_duplicate():
    calls = [
        call(0.1, 1), call(0.2, 1),
        call(0.1, 2, whole=False), call(0.3, 2),
        call(0.1, None), call(0.1, None),
    ]  # fmt: skip
    found = figures([reply(question=1), reply(question=1), reply(question=2)], calls)
    assert found["duplicates"] == 1
    assert found["upstream_calls_per_request"] == 2
    assert found["busiest_100ms"] == 4


def test_copies_of_a_question_must_have_one_request_id():
    assert figures([reply(ids=("a",)), reply(ids=("a",))])["second_ids"] == 0
    assert figures([reply(ids=("a",)), reply(ids=("b",))])["second_ids"] == 1
    assert figures([reply(ids=("a", "b"))])["second_ids"] == 1
    known = [reply(question=None, ids=("a",)), reply(question=None, ids=("b",))]
    assert figures(known)["second_ids"] == 0


def test_a_herd_is_seen_against_the_quiet_before_the_trouble():
    quiet = [call(0.1 * n) for n in range(9)]
    herd = [call(2.5 + n / 1000) for n in range(6)]
    late = [call(12.1 + n / 1000) for n in range(60)]
    assert figures([], quiet + herd + late)["peak_ratio"] == 6
    assert figures([], herd)["peak_ratio"] == 3  # over the load's own two in 100 ms


def test_recovery_is_the_first_full_answer_of_those_asked_after_it():
    replies = [
        reply(asked_s=1.9, ended_s=2.1),
        reply(asked_s=2.1, ended_s=2.2, level="cached"),
        reply(asked_s=2.2, ended_s=3.5),
    ]
    assert figures(replies)["recovery_seconds"] == 1.5
    assert figures(replies[:2])["recovery_seconds"] is None


def test_recovery_begins_when_the_step_has_been_carried_out():
    of = scenario()
    steps = [Played(at=step.at + 4 * (step.at == 2), step=step) for step in of.steps]
    assert recovered_at(of, []) == 2
    assert recovered_at(of, steps) == 6
    assert recovered_at(scenario(recovers_at=None), steps) is None


def test_streams_must_have_one_end():
    replies = [reply(ends=1), reply(ends=0), reply(ends=2), reply(ends=None)]
    assert figures(replies)["bad_ends"] == 2


@pytest.mark.parametrize(
    ("least", "bound", "value", "held", "said"),
    [
        (True, 0.9, 0.9, True, "Answered: at least 90 %: held with 90 %"),
        (True, 0.9, 0.8, False, "Answered: at least 90 %: NOT held, it is 80 %, 10 % below"),
        (False, 0.1, 0.15, False, "Answered: at most 10 %: NOT held, it is 15 %, 5 % above"),
        (False, 0.1, None, None, "Answered: at most 10 %: not measured here"),
    ],
)
def test_a_verdict_says_which_and_by_how_much(least, bound, value, held, said):
    verdict = DrillVerdict(
        threshold=Threshold(figure="success_share", least=least, bound=bound), value=value
    )
    assert verdict.held is held
    assert str(verdict) == said


def test_what_is_not_all_is_not_written_as_all():
    assert written("success_share", 0.999999) == "99.99 %"
    assert written("success_share", 1.0) == "100 %"
    assert written("p99_seconds", None) == "-"


def test_a_drill_holds_unless_something_that_was_measured_does_not():
    figure = Threshold(figure="peak_ratio", least=False, bound=1)
    of = scenario(thresholds=(figure,))
    assert result([reply()], None, of).held
    assert not result([reply()], [call(2.1), call(2.11), call(2.12)], of).held


def test_the_json_is_json():
    said = json.loads(json.dumps(result([reply(level="raw", raw="boom")], [call(0.1)]).as_json()))
    assert said["held"] is False
    assert said["raw_errors"] == {"boom": 1}
    assert said["thresholds"] == [
        {"figure": "raw_errors", "at_most": 0.0, "value": 1, "held": False}
    ]
    assert said["steps"][0] == {"at": 1.0, "label": "down", "what": "*: 529"}
